"""Events in their own JSON form, one a line: what `still publish` reads and `still simulate --out` writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from schemas import codec, edge
from schemas.errors import SchemaError
from schemas.records import ConversationEvent
from streams.errors import ImportFault
from streams.events import with_content_id
from streams.importers.source import Found, Line


def events_of(name: str, lines: Iterable[Line | ImportFault]) -> Iterator[Found | ImportFault]:
    """The event of each line; one without `event_id` gets a hash of its content; `name` stands in the faults."""
    for line in lines:
        yield line if isinstance(line, ImportFault) else _event(name, line)


def _event(name: str, line: Line) -> Found | ImportFault:
    raw = {"event_id": "unset", **line.value}
    try:
        event = edge.check(codec.from_json(raw, ConversationEvent))
    except SchemaError as error:
        return ImportFault(name, line.number, str(error))
    return Found(event if "event_id" in line.value else with_content_id(event), name, line.number)
