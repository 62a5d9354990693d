"""Between records and bytes: Confluent wire format (magic byte, schema id, Avro); JSON only at the edge.

Readers always resolve the writer's schema against the newest one, so old messages stay readable.
Everything that can be wrong with bytes or values leaves here as `Undecodable` or `InvalidRecord`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache
from io import BytesIO
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import orjson
from fastavro import schemaless_reader, schemaless_writer
from fastavro.validation import ValidationError, validate

from schemas import catalog, edge
from schemas.errors import InvalidRecord, Undecodable
from schemas.records import RECORDS, ConversationEvent, Record

MAGIC = 0
HEADER = struct.Struct(">bI")
JSON_CONTENT_TYPE = b"application/json"

R = TypeVar("R", bound=Record)
_Convert = Callable[[Any], Any]


def encode(record: Record) -> bytes:
    """The record in wire format under its topic's newest schema.

    Raises:
        InvalidRecord: a value breaks the schema.
    """
    name = type(record).__name__
    topic = catalog.of_record(name)
    schema = catalog.schema(name, topic.newest)
    out = BytesIO()
    out.write(HEADER.pack(MAGIC, topic.schema_id))
    datum = to_datum(record)
    try:
        schemaless_writer(out, schema, datum)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise InvalidRecord(f"{name} breaks its schema: {_first_fault(datum, schema) or error}") from error
    return out.getvalue()


def decode(data: bytes, kind: type[R]) -> R:
    """The record that these wire-format bytes hold.

    Raises:
        UnknownSchema: the catalog lacks the writer's schema id.
        Undecodable: the bytes are no such record.
    """
    if len(data) < HEADER.size or data[0] != MAGIC:
        raise Undecodable(f"{len(data)} bytes starting {data[:8]!r} lack the wire format's 5-byte header")
    writer, version = catalog.writer_of(HEADER.unpack_from(data)[1])
    if writer != kind.__name__:
        raise Undecodable(f"bytes hold a {writer}, expected a {kind.__name__}")
    return _decode_body(data, writer, version, kind)


def _decode_body(data: bytes, writer: str, version: int, kind: type[R]) -> R:
    source = BytesIO(data)
    source.seek(HEADER.size)
    newest = catalog.of_record(writer).newest
    reader_schema = catalog.schema(writer, newest) if version != newest else None
    try:
        datum = schemaless_reader(source, catalog.schema(writer, version), reader_schema)
        record = from_datum(kind, datum)
    except (EOFError, TypeError, ValueError, IndexError, KeyError, OverflowError, MemoryError) as error:
        raise Undecodable(f"{writer} v{version} of {len(data)} bytes cannot be read: {error!r}") from error
    if source.tell() != len(data):
        raise Undecodable(f"{writer} v{version} leaves {len(data) - source.tell()} bytes unread")
    return record


def decode_event(data: bytes, content_type: bytes | None = None) -> ConversationEvent:
    """An event as it comes in: Avro, or JSON where the content-type header says so; always checked.

    Raises:
        Undecodable: no event in these bytes.
        InvalidRecord: an event whose values break the rules of the edge.
    """
    if content_type == JSON_CONTENT_TYPE:
        return decode_json(data, ConversationEvent)
    return edge.check(decode(data, ConversationEvent))


def decode_json(data: bytes | str, kind: type[R]) -> R:
    """The record in a JSON object, checked against the Avro schema; unknown keys are refused by name.

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
    record = from_json(raw, kind)
    return edge.check(record) if isinstance(record, ConversationEvent) else record


def from_json(raw: dict[str, Any], kind: type[R]) -> R:
    """The record in a plain JSON object (bytes as latin-1 text); see `decode_json`."""
    schema = catalog.schema(kind.__name__, catalog.of_record(kind.__name__).newest)
    _refuse_unknown(raw, schema, kind.__name__)
    complete = {f["name"]: _json_default(f, raw) for f in schema["fields"] if f["name"] in raw or "default" in f}
    missing = [f["name"] for f in schema["fields"] if f["name"] not in complete and not _is_json(f)]
    if missing:
        raise InvalidRecord(f"{kind.__name__} lacks {', '.join(missing)}; add it")
    for f in schema["fields"]:
        if _is_json(f):
            complete.setdefault(f["name"], "[]")
    if fault := _first_fault(complete, schema):
        raise InvalidRecord(f"{kind.__name__}: {fault}")
    return from_datum(kind, complete)


def to_json(record: Record) -> dict[str, Any]:
    """The record as a plain JSON object: what `from_json` reads."""
    datum = to_datum(record)
    schema = catalog.schema(type(record).__name__, catalog.of_record(type(record).__name__).newest)
    for f in schema["fields"]:
        if _is_json(f) and datum[f["name"]] is not None:
            datum[f["name"]] = orjson.loads(datum[f["name"]])
    plain: dict[str, Any] = _bytes_to_text(datum)
    return plain


def _refuse_unknown(raw: dict[str, Any], schema: dict[str, Any], name: str) -> None:
    known = {f["name"] for f in schema["fields"]}
    if unknown := sorted(raw.keys() - known):
        raise InvalidRecord(f"{name} has no field {', '.join(map(repr, unknown))}; it knows {sorted(known)}")


def _json_default(field: dict[str, Any], raw: dict[str, Any]) -> Any:
    value = raw.get(field["name"], field.get("default"))
    if _is_json(field):
        return None if value is None else orjson.dumps(value).decode()
    return _fill_in(value, field["type"])


def _fill_in(value: Any, type_: Any) -> Any:
    """JSON knows one number type and no bytes: bring a value to what its Avro type expects, filling defaults."""
    if isinstance(type_, list):
        return value if value is None else _fill_in(value, _branch(value, type_))
    if not isinstance(type_, dict):
        return _scalar(value, type_)
    if type_["type"] == "record" and isinstance(value, dict):
        return {
            **value,
            **{
                f["name"]: _fill_in(value.get(f["name"], f.get("default")), f["type"])
                for f in type_["fields"]
                if f["name"] in value or "default" in f
            },
        }
    if type_["type"] == "array" and isinstance(value, list):
        return [_fill_in(item, type_["items"]) for item in value]
    if type_["type"] == "map" and isinstance(value, dict):
        return {key: _fill_in(item, type_["values"]) for key, item in value.items()}
    return value


def _scalar(value: Any, type_: Any) -> Any:
    if type_ == "double" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type_ == "bytes" and isinstance(value, str):
        return value.encode("latin-1")
    return value


def _branch(value: Any, union: list[Any]) -> Any:
    """The branch of a union that a JSON value means: numbers are doubles where the union has no integer."""
    branches = [branch for branch in union if branch != "null"]
    if len(branches) == 1:
        return branches[0]
    wanted = "boolean" if isinstance(value, bool) else "string" if isinstance(value, str) else "double"
    return wanted if wanted in branches else branches[0]


def _first_fault(datum: Any, schema: dict[str, Any]) -> str | None:
    """What is wrong with which field, in words, or None; a named type inside keeps its first definition."""
    for field in schema["fields"]:
        name = field["name"]
        if name not in datum:
            return f"{name} is missing"
        try:
            validate(datum[name], field["type"])
        except (ValidationError, AttributeError, TypeError, ValueError):
            return f"{name}={datum[name]!r:.120} is not {_plain_type(field['type'])}"
    return None


def _plain_type(type_: Any) -> str:
    if isinstance(type_, list):
        return " or ".join(_plain_type(branch) for branch in type_)
    if isinstance(type_, dict):
        symbols = type_.get("symbols")
        return f"one of {', '.join(symbols)}" if symbols else f"a valid {type_.get('name', type_['type'])}"
    return str(type_)


def _is_json(field: dict[str, Any]) -> bool:
    return field.get("contentType") == "application/json"


def _bytes_to_text(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, dict):
        return {key: _bytes_to_text(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_bytes_to_text(item) for item in value]
    return value


def to_datum(record: Any) -> dict[str, Any]:
    """The dict that fastavro writes: nested values as dicts, JSON fields as text."""
    datum: dict[str, Any] = {}
    for name, write, _ in _plan(type(record)):
        value = getattr(record, name)
        datum[name] = value if write is None or value is None else write(value)
    return datum


def from_datum(kind: type[Any], datum: dict[str, Any]) -> Any:
    """The record of a dict that fastavro read."""
    values: dict[str, Any] = {}
    for name, _, read in _plan(kind):
        value = datum[name]
        values[name] = value if read is None or value is None else read(value)
    return kind(**values)


@cache
def _plan(kind: type[Any]) -> tuple[tuple[str, _Convert | None, _Convert | None], ...]:
    """Per field of a record: its name, and how to write and read it (None = as it is)."""
    hints = get_type_hints(kind)
    json_fields = _json_fields(kind)
    return tuple((f.name, *_converters(hints[f.name], is_json=f.name in json_fields)) for f in fields(kind))


def _json_fields(kind: type[Any]) -> set[str]:
    if kind.__name__ not in RECORDS:
        return set()
    schema = catalog.schema(kind.__name__, catalog.of_record(kind.__name__).newest)
    return {f["name"] for f in schema["fields"] if _is_json(f)}


def _converters(hint: Any, *, is_json: bool) -> tuple[_Convert | None, _Convert | None]:
    if is_json:
        return _dump_json, orjson.loads
    if get_origin(hint) in (Union, type(int | None)):
        inner = [arg for arg in get_args(hint) if arg is not type(None)]
        return _converters(inner[0], is_json=False) if len(inner) == 1 else (None, None)
    if get_origin(hint) is tuple:
        write, read = _converters(get_args(hint)[0], is_json=False)
        return _each(write, list), _each(read, tuple)
    if is_dataclass(hint):
        return to_datum, _reader_of(hint)
    return None, None


def _dump_json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except (TypeError, orjson.JSONEncodeError) as error:
        raise InvalidRecord(f"{value!r:.120} cannot be written as JSON: {error}") from error


def _each(convert: _Convert | None, make: Callable[[Any], Any]) -> _Convert:
    return make if convert is None else lambda values: make(convert(value) for value in values)


def _reader_of(kind: Any) -> _Convert:
    return lambda datum: from_datum(kind, datum)
