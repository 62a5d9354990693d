"""OpenAI chat JSONL: {"messages": [...], "tools"?, "id"?, ...}, one conversation a line, as fine-tuning files have it.

Such a file says nothing about outcomes: a `reward` in it chose the record and is no measurement, so it stays metadata.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from schemas import edge
from schemas.errors import InvalidRecord
from schemas.fields import need, optional, texts
from schemas.ids import content_hash
from schemas.records import ConversationEvent
from streams.errors import ImportFault
from streams.events import with_content_id
from streams.importers.customers import customer_of
from streams.importers.source import Found, Line, read_lines

_IDS = ("id", "conversation_id", "simulation_id")
_KEPT = ("task_id", "trial", "domain", "reward")


def read_openai_chat(file: Path) -> Iterator[Found | ImportFault]:
    """The conversations of one JSONL file. Raises `ImportFault` where it cannot be read."""
    for line in read_lines(file):
        if isinstance(line, ImportFault):
            yield line
            continue
        try:
            event = with_content_id(edge.check(_conversation(file, line)))
        except InvalidRecord as error:
            yield ImportFault(file, line.number, str(error))
        else:
            yield Found(event, str(file), line.number)


def _conversation(file: Path, line: Line) -> ConversationEvent:
    messages = need(line.value, "messages", list)
    kept = {name: line.value.get(name) for name in _KEPT}
    return ConversationEvent(
        event_id="unset",
        conversation_id=f"{file.stem}/{_id(line.value)}",
        kind="conversation",
        sequence=0,
        customer_id=optional(line.value, "customer_id", str) or _looked_up(messages),
        variant=optional(line.value, "model", str),
        messages=messages,
        tools=optional(line.value, "tools", list),
        metadata=texts(source_file=file.name, **kept),
    )


def _looked_up(messages: list[Any]) -> str | None:
    edge.check(ConversationEvent("-", "-", "conversation", messages=messages))
    return customer_of(messages, set())


def _id(value: dict[str, Any]) -> str:
    """The record's own id, else a hash of its content: the same line makes the same conversation."""
    own = next((value[name] for name in _IDS if value.get(name) is not None), None)
    return content_hash(value["messages"])[:16] if own is None else str(own)
