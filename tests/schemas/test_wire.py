"""Numbers in front of bytes: fixed, or a registry's, and what happens with those that nobody knows."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer

from schemas import catalog, codec
from schemas.datum import to_datum
from schemas.errors import RegistryAway, Undecodable, UnknownSchema
from schemas.records import ConversationEvent
from schemas.wire import Wire, bind, bound, fixed

EVENT = ConversationEvent("e1", "c1", "closed")
OTHERS = {record: dict.fromkeys(versions, 1000 + number) for number, (record, versions) in enumerate(
    (topic.record, topic.versions) for topic in catalog.topics().values()
)}  # fmt: skip


def _asked(answers: dict[int, dict[str, Any]], asked: list[int]) -> Any:
    def ask(schema_id: int) -> dict[str, Any] | None:
        asked.append(schema_id)
        return answers.get(schema_id)

    return ask


def _newer(**field: Any) -> dict[str, Any]:
    raw = catalog.raw_schema("ConversationEvent", 1)
    return {**raw, "fields": [*raw["fields"], {"name": "channel", "type": "string", "doc": "x", **field}]}


def _under(schema_id: int) -> bytes:
    return struct.pack(">bI", 0, schema_id) + codec.encode(EVENT)[5:]


def _written(schema: dict[str, Any], **values: Any) -> bytes:
    """The event under number 7, by a writer of the future."""
    out = BytesIO(struct.pack(">bI", 0, 7))
    out.seek(5)
    schemaless_writer(out, parse_schema(schema), {**to_datum(EVENT), "channel": "web", **values})
    return out.getvalue()


def test_a_process_writes_and_reads_by_its_own_numbers() -> None:
    """Bound numbers stand in front of what is written, and read back; unbound, the fixed ones count again."""
    bind(Wire(OTHERS))
    data = codec.encode(EVENT)
    assert struct.unpack_from(">bI", data)[1] == OTHERS["ConversationEvent"][1]
    assert codec.decode(data, ConversationEvent) == EVENT
    bind(None)
    assert bound() is fixed()
    assert codec.encode(EVENT)[:5] == b"\x00\x00\x00\x00\x65"


def test_fixed_numbers_stay_readable_beside_a_registry() -> None:
    """What was written before a registry was put in front is read as before."""
    data = codec.encode(EVENT)
    assert codec.decode(data, ConversationEvent, Wire(OTHERS, _asked({}, []))) == EVENT


def test_a_newer_writer_is_asked_for_once() -> None:
    """A number that only the registry knows is asked for once, and its bytes read as our newest."""
    asked: list[int] = []
    wire = Wire(OTHERS, _asked({7: _newer()}, asked))
    assert [codec.decode(_written(_newer()), ConversationEvent, wire) for _ in range(3)] == [EVENT] * 3
    assert asked == [7]


def test_a_number_of_nobody_is_unknown() -> None:
    """Neither catalog nor registry: the record is refused, and the reader must be upgraded."""
    with pytest.raises(UnknownSchema, match="upgrade this reader"):
        codec.decode(_under(9999), ConversationEvent)
    with pytest.raises(UnknownSchema, match="upgrade this reader"):
        codec.decode(_under(9999), ConversationEvent, Wire(OTHERS, _asked({}, [])))
    with pytest.raises(UnknownSchema):
        codec.decode(_under(8), ConversationEvent, Wire(OTHERS, _asked({8: {"type": "record"}}, [])))


def test_a_newer_value_that_we_cannot_hold_asks_for_an_upgrade() -> None:
    """An enum symbol of the future is no damage: the letter says that a newer reader can take it."""
    newer = _newer()
    (kind,) = (field for field in newer["fields"] if field["name"] == "kind")
    kind["type"] = {**kind["type"], "symbols": ["escalated", *kind["type"]["symbols"]]}
    wire = Wire(OTHERS, _asked({7: newer}, []))
    assert codec.decode(_written(newer), ConversationEvent, wire) == EVENT
    with pytest.raises(UnknownSchema, match="needs a newer reader"):
        codec.decode(_written(newer, kind="escalated"), ConversationEvent, wire)


def test_another_record_is_named() -> None:
    """Bytes of another record are refused by name, whoever gave the number."""
    with pytest.raises(Undecodable, match="bytes hold a Score, expected a ConversationEvent"):
        codec.decode(_under(104), ConversationEvent)
    wire = Wire(OTHERS, _asked({3: catalog.raw_schema("Score", 1)}, []))
    with pytest.raises(Undecodable, match="bytes hold a Score"):
        codec.decode(_under(3), ConversationEvent, wire)


def test_a_registry_that_is_away_refuses_no_record() -> None:
    """The error is none of the record's, so that no stage makes a dead letter of it."""

    def away(_: int) -> None:
        raise RegistryAway("no answer")

    with pytest.raises(RegistryAway):
        codec.decode(_under(7), ConversationEvent, Wire(OTHERS, away))
