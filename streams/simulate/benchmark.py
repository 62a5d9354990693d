"""Ground truth for the five tasks: flawless contacts of customers that production never sees, as labelled data lines.

The lines have the form of the labelled data file. The annotations are the grammar's own truth, not the teacher's; texts
that differ in digits or case only are taken once a task, so that a benchmark never counts one item twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson

from schemas.ids import stable_id, text_hash
from schemas.records import Message, Task
from streams.simulate.dialogue import DOMAIN, LABEL_SET, Contact
from streams.simulate.settings import SimulateSettings
from streams.simulate.shop import shop
from streams.simulate.simulate import contacts

LABEL_SETS: dict[Task, str] = {
    "intent": LABEL_SET,
    "entities": LABEL_SET,
    "safety": LABEL_SET,
    "response": f"replies:{DOMAIN}",
    "tools": f"tools:{DOMAIN}",
}
"""What decompose calls the examples that it cuts from this shop's traffic: a benchmark measures the same thing."""

POPULATION = "benchmark-customer"

Line = dict[str, Any]


def ground_truth(settings: SimulateSettings, seed: int) -> Iterator[Line]:
    """Labelled data lines of `settings.conversations` contacts, equal for equal arguments."""
    perfect = replace(settings, bad_share=0.0, label_noise=0.0, disorder=0.0)
    seen: set[tuple[str, str]] = set()
    for contact in contacts(perfect, seed, POPULATION):
        conversation_id = f"benchmark-{stable_id(seed, POPULATION, contact.number)[:12]}"
        for line in _lines(contact):
            key = (line["task"], _content_hash(line))
            if key not in seen:
                seen.add(key)
                yield line | {
                    "id": stable_id(conversation_id, *key)[:16],
                    "label_set": LABEL_SETS[line["task"]],
                    "split": "benchmark",
                    "conversation_id": conversation_id,
                    "customer_id": contact.customer.customer_id,
                }


def _lines(contact: Contact) -> Iterator[Line]:
    context: list[Message] = []
    for turn in contact.turns:
        for label in turn.labels:
            yield {"task": label["task"], "text": turn.messages[label["message"]]["content"], "target": label["target"]}
        for message in turn.messages:
            if message["role"] == "assistant":
                yield from _agent_lines(message, list(context))
            context.append(message)


def _agent_lines(message: Message, context: list[Message]) -> Iterator[Line]:
    tools: Task = "tools"
    if calls := message.get("tool_calls"):
        function = calls[0]["function"]
        target = {"name": function["name"], "arguments": orjson.loads(function["arguments"])}
        yield {"task": tools, "messages": context, "tools": shop().tools, "target": target}
        return
    yield {"task": tools, "messages": context, "tools": shop().tools, "target": None}
    yield {"task": "response", "messages": context, "target": message["content"]}


def _content_hash(line: Line) -> str:
    return text_hash(line["text"] if "text" in line else orjson.dumps(line["messages"]).decode())
