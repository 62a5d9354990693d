"""A contact as it is written down: turns of customer and agent with their annotations, usage and times.

`Dialogue` only records; which move comes next is `scenario`'s business. Labels here are the truth; what the
teacher makes of it (its mistakes) is added where events are cut.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import orjson

from schemas.records import Feedback, Message, Outcome, Usage
from streams.simulate.grammar import Choice, Utterance, render
from streams.simulate.language import language
from streams.simulate.noise import soil
from streams.simulate.people import Customer
from streams.simulate.scene import ENTITY_OF, Scene
from streams.simulate.shop import Teacher, shop

DOMAIN = "shop"
"""What the conversations are about; label sets derived downstream carry it."""

LABEL_SET = DOMAIN
"""The label set of the teacher's annotations."""


@dataclass(slots=True)
class Turn:
    """What one side said at one time; labels and usage count messages within the turn."""

    role: Literal["customer", "agent"]
    at_us: int
    messages: list[Message]
    labels: list[dict[str, Any]] = field(default_factory=list)
    usage: list[Usage] = field(default_factory=list)


@dataclass(slots=True)
class Contact:
    """One whole contact; `flaw` names what was made to go wrong, None = nothing."""

    number: int
    customer: Customer
    teacher: Teacher
    started_us: int
    intent: str = "out_of_scope"
    flaw: str | None = None
    turns: list[Turn] = field(default_factory=list)
    feedback: list[Feedback] = field(default_factory=list)
    outcome: Outcome | None = None


class Dialogue:
    """Writes a contact turn by turn; `clock_us` moves on as people read and models compute."""

    def __init__(self, contact: Contact, rng: random.Random) -> None:
        self.contact = contact
        self.rng = rng
        self.tongue = language(contact.customer.language)
        self.clock_us = contact.started_us
        today = datetime.fromtimestamp(contact.started_us / 1e6, tz=UTC).date()
        self.scene = Scene(contact.customer, self.tongue, rng, today)
        self.mentioned: set[str] = set()
        self._prompt_characters = len(shop().policy)
        self._calls = 0
        # Some services report nothing about their calls, some no cost: unknown, not free.
        self._reports_usage = rng.random() < 0.88
        self._reports_cost = rng.random() < 0.93

    def says(self, *phrases: Choice, intent: str, unsafe: Iterable[str] = ()) -> None:
        """The customer writes these phrases in one message."""
        said = Utterance()
        for phrase in phrases:
            render((phrase,), self.scene, self.rng, said)
        self.mentioned.update(span.label for span in said.spans)
        text, spans = soil(said.text, said.spans, self.rng)
        entities = [
            {"start": span.start, "end": span.end, "label": ENTITY_OF[span.label]}
            for span in spans
            if span.label in ENTITY_OF
        ]
        first = not self.contact.turns
        messages: list[Message] = [{"role": "system", "content": shop().policy}] if first else []
        messages.append({"role": "user", "content": text})
        self.clock_us += 0 if first else int(self.rng.uniform(8e6, 90e6))
        self._prompt_characters += len(text)
        targets = (
            ("intent", intent, "teacher"),
            ("entities", entities, "teacher"),
            ("safety", list(unsafe), "guardrail"),
        )
        labels = [
            {"task": task, "message": len(messages) - 1, "target": target, "label_set": LABEL_SET, "source": source}
            for task, target, source in targets
        ]
        self.contact.turns.append(Turn("customer", self.clock_us, messages, labels))

    def written(self, phrase: Choice) -> str:
        """One form of a phrase, said by nobody."""
        said = Utterance()
        render((phrase,), self.scene, self.rng, said)
        return said.text

    def answers(self, *phrases: Choice) -> None:
        """The agent writes these phrases to the customer."""
        text = "".join(self.written(phrase) for phrase in phrases)
        self._agent({"role": "assistant", "content": text}, len(text))

    def calls(self, tool: str, arguments: dict[str, str], result: Mapping[str, str | int]) -> None:
        """The agent calls a tool and gets its result."""
        self._calls += 1
        call_id = f"call_{self.contact.number:06}_{self._calls}"
        written = orjson.dumps(arguments).decode()
        function = {"name": tool, "arguments": written}
        call = {"role": "assistant", "content": None,
                "tool_calls": [{"id": call_id, "type": "function", "function": function}]}  # fmt: skip
        turn = self._agent(call, len(written) + 24)
        content = orjson.dumps(result).decode()
        turn.messages.append({"role": "tool", "tool_call_id": call_id, "name": tool, "content": content})
        self._prompt_characters += len(content)
        self.clock_us += int(self.rng.uniform(1e5, 9e5))

    def _agent(self, message: Message, characters: int) -> Turn:
        """Add the message to the agent's turn, opening one if the customer spoke last."""
        turns = self.contact.turns
        latency_ms = self.contact.teacher.latency_ms * self.rng.lognormvariate(0, 0.35)
        self.clock_us += int(latency_ms * 1000)
        if turns[-1].role == "customer":
            turns.append(Turn("agent", self.clock_us, []))
        turn = turns[-1]
        turn.at_us = self.clock_us
        if self._reports_usage:
            turn.usage.append(self._usage(len(turn.messages), characters, latency_ms))
        turn.messages.append(message)
        self._prompt_characters += characters
        return turn

    def _usage(self, message: int, characters: int, latency_ms: float) -> Usage:
        teacher = self.contact.teacher
        # About four characters a token; the policy and the tools are cached after the first call.
        prompt = 900 + self._prompt_characters // 4
        cached = 896 if len(self.contact.turns) > 2 else 0
        completion = max(1, characters // 4)
        cost = (prompt - cached) * teacher.prompt_price + cached * teacher.cached_price
        cost += completion * teacher.completion_price
        return Usage(
            message=message,
            model=teacher.name,
            prompt_tokens=prompt,
            completion_tokens=completion,
            cached_tokens=cached,
            cost_usd=round(cost / 1e6, 8) if self._reports_cost else None,
            latency_ms=round(latency_ms, 1),
        )
