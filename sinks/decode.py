"""From a Kafka record to the row of its table, or to the reason why there is none.

Pure. Derived records go from Avro to columns without becoming dataclasses: their JSON fields stay the text they are.
Of raw events and dead letters only envelope, digest and size pass.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from operator import attrgetter, itemgetter
from typing import Any

import orjson

from schemas import catalog, codec
from schemas.errors import SchemaError, UnknownSchema
from schemas.ids import customer_hash
from schemas.letters import attempt_of, digest_of, replay_of
from schemas.poison import REASON, Poison, unless_poison
from schemas.records import ConversationEvent, DeadLetter
from sinks.measure import measures
from sinks.tables import Table, by_topic, is_nested
from sinks.values import Arrived, Mark, Refused, Row, Source

Datum = dict[str, Any]
Decode = Callable[[Arrived], Row | Refused]


def decoders(customer_key: bytes) -> dict[str, Decode]:
    """The decoder of each topic; `customer_key` is the key of customer hashes."""
    return {topic: partial(_row, _decoder(table, customer_key)) for topic, table in by_topic().items()}


def _row(decode: Decode, arrived: Arrived) -> Row | Refused:
    row = unless_poison(decode, arrived)
    return Refused(REASON, row.detail) if isinstance(row, Poison) else row


def _decoder(table: Table, customer_key: bytes) -> Decode:
    record = catalog.topic(table.topic).record
    if record == ConversationEvent.__name__:
        return _events(table, customer_key)
    return _dead_letters(table) if record == DeadLetter.__name__ else _derived(table, record)


def _derived(table: Table, record: str) -> Decode:
    """A decoder that looks up once what it needs of its table: it runs for every record."""
    read = itemgetter(*(column.name for column in table.plain))
    nested = _nested(table, record)
    extra = _EXTRA.get(record)
    finish = _with_source if table.monotone else partial(_keyed, tuple(table.names.index(name) for name in table.key))

    def decode(arrived: Arrived) -> Row | Refused:
        try:
            datum = codec.decode_datum(arrived.value or b"", record)
        except SchemaError as error:
            return refused(error)
        values = list(read(datum))
        for position in nested:
            if values[position] is not None:
                values[position] = orjson.dumps(values[position]).decode()
        if extra is not None:
            values += extra(datum)
        return finish(values, datum, attempt_of(arrived.headers))

    return decode


def _nested(table: Table, record: str) -> tuple[int, ...]:
    """Which plain columns hold records: they land as JSON text."""
    types = {field["name"]: field["type"] for field in catalog.newest_schema(record)["fields"]}
    return tuple(i for i, column in enumerate(table.plain) if is_nested(types[column.name]))


def _verdict_and_uri(event: Datum) -> list[Any]:
    """The made columns of the table `model_events`."""
    gate, artifact = event["gate"], event["artifact"]
    return [gate and gate["verdict"], artifact and artifact["uri"]]


_EXTRA: dict[str, Callable[[Datum], list[Any]]] = {"Conversation": measures, "ModelEvent": _verdict_and_uri}


def _with_source(values: list[Any], datum: Datum, replayed: int) -> Row:
    origin = datum["provenance"]
    source = Source(origin["cluster_id"], origin["topic"], origin["partition"])
    mark = Mark(origin["offset"], origin["index"])
    attempt = max(origin["attempt"], replayed)
    values += (*source, *mark, origin["previous_offset"], attempt)
    return Row(tuple(values), source, mark, attempt, (*source, *mark) if attempt else None)


def _keyed(positions: tuple[int, ...], values: list[Any], _: Datum, __: int) -> Row:
    return Row(tuple(values), key=tuple(values[position] for position in positions))


def _events(table: Table, customer_key: bytes) -> Decode:
    """A decoder of events that keeps the envelope; bytes that hold none keep their place with the reason.

    Assemble reads the same log and writes the dead letter, so a second one from here would count it twice. A replay
    is told by the id of its letter, so that replaying it twice lands once.
    """
    envelope = _envelope(table)
    unknown = (None,) * (len(table.plain) + 2)  # the envelope, whose customer, how many messages

    def decode(arrived: Arrived) -> Row | Refused:
        replay = replay_of(arrived.headers)
        end = (replay and replay.letter, *_digest(arrived.value))
        key = (replay.letter,) if replay else None
        try:
            event = codec.decode_event(arrived.value or b"", arrived.headers.get("content-type"))
        except SchemaError as error:
            return Row((*unknown, refused(error).reason, *end), key=key)
        customer = event.customer_id and customer_hash(event.customer_id, customer_key)
        return Row((*envelope(event), customer, len(event.messages), None, *end), key=key)

    return decode


def _dead_letters(table: Table) -> Decode:
    envelope = _envelope(table)

    def decode(arrived: Arrived) -> Row | Refused:
        try:
            letter = codec.decode(arrived.value or b"", DeadLetter)
        except SchemaError as error:
            return refused(error)
        return Row((*envelope(letter), *digest_of(letter)), key=(letter.dead_letter_id,))

    return decode


def _envelope(table: Table) -> Callable[[Any], tuple[Any, ...]]:
    """Reads the plain columns off a record."""
    return attrgetter(*(column.name for column in table.plain))


def _digest(value: bytes | None) -> tuple[str | None, int]:
    return (None, 0) if value is None else (hashlib.sha256(value).hexdigest(), len(value))


def refused(error: SchemaError) -> Refused:
    """The reason code and the words of a record that cannot be read."""
    return Refused("unknown_schema" if isinstance(error, UnknownSchema) else "undecodable", str(error))
