"""Between records and bytes: Confluent wire format (magic byte, schema id, Avro); JSON only at the edge.

Readers resolve the writer's schema against the newest one, so old messages stay readable. Records of the newest schema
go the short way of `binary`; fastavro does the rest, and says what is wrong with what neither takes.
Everything that can be wrong with bytes or values leaves here as `Undecodable` or `InvalidRecord`.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any, TypeVar, cast

import orjson
from fastavro import schemaless_reader, schemaless_writer
from fastavro.read import SchemaResolutionError

from schemas import binary, catalog, edge
from schemas.datum import from_datum, to_datum
from schemas.depth import MAX_DEPTH
from schemas.errors import InvalidRecord, Undecodable, UnknownSchema
from schemas.jsonform import first_fault, from_json, to_json
from schemas.records import ConversationEvent, Record
from schemas.wire import HEADER, MAGIC, Wire, bound

__all__ = [
    "JSON_CONTENT_TYPE",
    "decode",
    "decode_datum",
    "decode_event",
    "decode_json",
    "encode",
    "from_json",
    "to_json",
]

JSON_CONTENT_TYPE = b"application/json"

R = TypeVar("R", bound=Record)


def encode(record: Record, by: Wire | None = None) -> bytes:
    """The record in wire format under its topic's newest schema; `by` whose numbers, None = this process's.

    Raises:
        InvalidRecord: a value breaks the schema.
    """
    name = type(record).__name__
    numbers = by or bound()
    try:
        return numbers.headers[name] + binary.writer(name)(record)
    except binary.NOT_MINE:
        return _encode_plainly(record, numbers)


def _encode_plainly(record: Record, by: Wire) -> bytes:
    name = type(record).__name__
    schema = catalog.newest_schema(name)
    out = BytesIO()
    out.write(by.headers[name])
    datum = to_datum(record)
    try:
        schemaless_writer(out, schema, datum)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        fault = first_fault(datum, schema["fields"]) or error
        raise InvalidRecord(f"{name} breaks its schema: {fault}") from error
    return out.getvalue()


def decode(data: bytes, kind: type[R], by: Wire | None = None) -> R:
    """The record that these wire-format bytes hold; `by` whose numbers, None = this process's.

    Raises:
        UnknownSchema: nobody knows the writer's schema id, or this record needs a newer reader.
        Undecodable: the bytes are no such record.
        RegistryAway: only the Schema Registry knows, and it does not answer; the record waits.
    """
    numbers = by or bound()
    try:
        return _decode_directly(data, kind, numbers)
    except binary.NOT_MINE:
        return _decode_plainly(data, kind, numbers)


def _decode_directly(data: bytes, kind: type[R], by: Wire) -> R:
    if not data.startswith(by.headers[kind.__name__]):
        raise binary.Unusual
    source = BytesIO(data)
    source.seek(HEADER.size)
    record: R = binary.reader(kind.__name__)(source.read)
    if source.tell() != len(data):
        raise binary.Unusual
    return record


def _decode_plainly(data: bytes, kind: type[R], by: Wire) -> R:
    datum = decode_datum(data, kind.__name__, by)
    try:
        record: R = from_datum(kind, datum)
    except (TypeError, ValueError, KeyError) as error:
        raise Undecodable(f"{kind.__name__} of {len(data)} bytes cannot be read: {error!r}") from error
    return record


def decode_datum(data: bytes, name: str, by: Wire | None = None) -> dict[str, Any]:
    """The plain dict of the record `name` in these bytes, under its newest schema; JSON fields stay text.

    For who moves records on without looking into them; raises what `decode` raises.
    """
    if len(data) < HEADER.size or data[0] != MAGIC:
        raise Undecodable(f"{len(data)} bytes starting {data[:8]!r} lack the wire format's 5-byte header")
    schema_id = HEADER.unpack_from(data)[1]
    writer = (by or bound()).writer_of(schema_id, name)
    version = writer.version
    source = BytesIO(data)
    source.seek(HEADER.size)
    reader_schema = catalog.newest_schema(name) if version != catalog.of_record(name).newest else None
    try:
        datum: Any = schemaless_reader(source, writer.schema, reader_schema)
    except SchemaResolutionError as error:
        raise UnknownSchema(f"{name} under schema id {schema_id} needs a newer reader: {error}; upgrade it") from error
    except (EOFError, TypeError, ValueError, IndexError, KeyError, OverflowError, MemoryError) as error:
        raise Undecodable(f"{name} v{version} of {len(data)} bytes cannot be read: {error!r}") from error
    if source.tell() != len(data):
        raise Undecodable(f"{name} v{version} leaves {len(data) - source.tell()} bytes unread")
    return cast("dict[str, Any]", datum)


def decode_event(data: bytes, content_type: bytes | None = None) -> ConversationEvent:
    """An event as it comes in: Avro, or JSON where the content-type header says so; always checked.

    Raises:
        Undecodable: no event in these bytes.
        InvalidRecord: an event whose values break the rules of the edge.
    """
    if content_type == JSON_CONTENT_TYPE:
        return edge.check_shallow(decode_json(data, ConversationEvent))
    event = decode(data, ConversationEvent)
    # What has few brackets in all cannot nest deep; counting them costs a tenth of looking.
    few = data.count(b"{") + data.count(b"[") <= MAX_DEPTH
    return edge.check_shallow(event) if few else edge.check(event)


def decode_json(data: bytes | str, kind: type[R]) -> R:
    """The record in a JSON object's text; see `jsonform.from_json`.

    Raises:
        Undecodable: no JSON object.
        InvalidRecord: a missing, unknown or wrong value.
    """
    try:
        raw = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Undecodable(f"no JSON: {error}") from error
    if not isinstance(raw, dict):
        raise Undecodable(f"expected a JSON object, got {type(raw).__name__}")
    return from_json(raw, kind)
