"""Avro binary of one kind of record, as two functions made once from its newest schema: record to bytes and back.

fastavro walks the schema anew for every value and tries the branches of every union; our records have some twenty
mostly nullable fields, and that walk costs more than the work of a step on a small event. Here the way of every field
is chosen when the functions are made, and only what is exactly as the schema has it is taken. Anything else raises one
of `NOT_MINE`: then fastavro judges, so that what is valid, and what is said of the rest, is decided in one place.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from itertools import repeat
from operator import attrgetter, call, itemgetter
from typing import Any

import orjson

from schemas import catalog, records
from schemas.datum import is_json, is_nullable

Take = Callable[[int], bytes]
"""The next n bytes, or fewer at the end."""

Write = Callable[[Any], bytes]
Read = Callable[[Take], Any]


class Unusual(ValueError):  # noqa: N818 - named for what it is, not for being an error
    """What only fastavro may judge."""


NOT_MINE = (Unusual, ValueError, TypeError, KeyError, IndexError, OverflowError, MemoryError, struct.error)
"""What the functions made here raise for values and bytes that they leave to fastavro."""

_DOUBLE = struct.Struct("<d")
_TYPES: dict[str, type] = {
    "null": type(None), "boolean": bool, "int": int, "long": int, "double": float, "string": str, "bytes": bytes,
}  # fmt: skip


@cache
def writer(name: str) -> Write:
    """Makes the bytes of a record of this name."""
    return _record_writer(catalog.newest_schema(name))


@cache
def reader(name: str) -> Read:
    """Makes the record of this name that the next bytes hold."""
    return _record_reader(catalog.newest_schema(name))


def _field_writer(field: dict[str, Any]) -> Write:
    if is_json(field):
        return _nullable_writer(_write_json) if is_nullable(field) else _write_json
    return _writer(field["type"])


def _writer(schema: Any) -> Write:
    if isinstance(schema, list):
        return _nullable_writer(_writer(schema[1])) if _is_nullable(schema) else _union_writer(schema)
    if isinstance(schema, str):
        return _WRITERS[schema]
    made: Write = _COMPLEX_WRITERS[schema["type"]](schema)
    return made


def _record_writer(schema: dict[str, Any]) -> Write:
    kind = _class_of(schema)
    values_of = attrgetter(*(field["name"] for field in schema["fields"]))
    writes = [_field_writer(field) for field in schema["fields"]]

    def write(record: Any) -> bytes:
        if type(record) is not kind:
            raise Unusual
        return b"".join(map(call, writes, values_of(record)))

    return write


def _enum_writer(schema: dict[str, Any]) -> Write:
    indexes = {symbol: _varint(index) for index, symbol in enumerate(schema["symbols"])}
    return indexes.__getitem__


def _array_writer(schema: dict[str, Any]) -> Write:
    write_one = _writer(schema["items"])

    def write(values: Any) -> bytes:
        if not isinstance(values, (list, tuple)):
            raise Unusual
        return b"".join((_varint(len(values)), *map(write_one, values), b"\0")) if values else b"\0"

    return write


def _map_writer(schema: dict[str, Any]) -> Write:
    write_one = _writer(schema["values"])

    def write(values: Any) -> bytes:
        if type(values) is not dict:
            raise Unusual
        pairs = [part for key, value in values.items() for part in (_write_string(key), write_one(value))]
        return b"".join((_varint(len(values)), *pairs, b"\0")) if values else b"\0"

    return write


def _nullable_writer(write_some: Write) -> Write:
    return lambda value: b"\0" if value is None else b"\2" + write_some(value)


def _union_writer(schemas: Sequence[Any]) -> Write:
    """By the value's type: no union of ours has two branches of one Python type."""
    branches = {_TYPES[schema]: (_varint(index), _WRITERS[schema]) for index, schema in enumerate(schemas)}

    def write(value: Any) -> bytes:
        index, write_branch = branches[type(value)]
        return index + write_branch(value)

    return write


def _write_string(value: Any) -> bytes:
    if type(value) is not str:
        raise Unusual
    data: bytes = value.encode()
    return _varint(len(data)) + data


def _write_bytes(value: Any) -> bytes:
    if type(value) is not bytes:
        raise Unusual
    return _varint(len(value)) + bytes(value)


def _write_json(value: Any) -> bytes:
    data = orjson.dumps(value)
    return _varint(len(data)) + data


def _write_int(value: Any) -> bytes:
    if type(value) is not int or not -(2**31) <= value < 2**31:
        raise Unusual
    return _varint(value)


def _write_long(value: Any) -> bytes:
    if type(value) is not int or not -(2**62) <= value < 2**62:
        raise Unusual
    return _varint(value)


def _write_double(value: Any) -> bytes:
    if type(value) is not float:
        raise Unusual
    return _DOUBLE.pack(value)


def _write_boolean(value: Any) -> bytes:
    if type(value) is not bool:
        raise Unusual
    return b"\1" if value else b"\0"


@lru_cache(maxsize=8192)
def _varint(value: int) -> bytes:
    """Zigzag, seven bits a byte, the lowest first; remembered, because lengths, counts and offsets come again."""
    rest = value << 1 if value >= 0 else ~(value << 1)
    made = bytearray()
    while rest > 127:
        made.append(rest & 127 | 128)
        rest >>= 7
    made.append(rest)
    return bytes(made)


def _field_reader(field: dict[str, Any]) -> Read:
    if is_json(field):
        return _nullable_reader(_read_json) if is_nullable(field) else _read_json
    return _reader(field["type"])


def _reader(schema: Any) -> Read:
    if isinstance(schema, list):
        return _nullable_reader(_reader(schema[1])) if _is_nullable(schema) else _union_reader(schema)
    if isinstance(schema, str):
        return _READERS[schema]
    made: Read = _COMPLEX_READERS[schema["type"]](schema)
    return made


def _record_reader(schema: dict[str, Any]) -> Read:
    kind = _class_of(schema)
    written = [field["name"] for field in schema["fields"]]
    as_declared = itemgetter(*(written.index(name) for name in kind.__match_args__))
    reads = [_field_reader(field) for field in schema["fields"]]
    return lambda take: kind(*as_declared(tuple(map(call, reads, repeat(take)))))


def _enum_reader(schema: dict[str, Any]) -> Read:
    symbols = {_varint(index): symbol for index, symbol in enumerate(schema["symbols"])}
    return lambda take: symbols[take(1)]


def _array_reader(schema: dict[str, Any]) -> Read:
    read_one = _reader(schema["items"])

    def read(take: Take) -> tuple[Any, ...]:
        values: list[Any] = []
        while n := _read_count(take):
            values += [read_one(take) for _ in range(n)]
        return tuple(values)

    return read


def _map_reader(schema: dict[str, Any]) -> Read:
    read_one = _reader(schema["values"])

    def read(take: Take) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while n := _read_count(take):
            for _ in range(n):
                key = _read_string(take)
                values[key] = read_one(take)
        return values

    return read


def _nullable_reader(read_some: Read) -> Read:
    def read(take: Take) -> Any:
        index = take(1)
        if index == b"\0":
            return None
        if index != b"\2":
            raise Unusual
        return read_some(take)

    return read


def _union_reader(schemas: Sequence[Any]) -> Read:
    branches = {_varint(index): _READERS[schema] for index, schema in enumerate(schemas)}
    return lambda take: branches[take(1)](take)


def _read_bytes(take: Take) -> bytes:
    n = take(1)[0]
    if n > 127:
        n = _rest_of(n, take)
    data = take(n >> 1)
    if n & 1 or len(data) != n >> 1:  # a negative length, or the end
        raise Unusual
    return data


def _read_string(take: Take) -> str:
    return _read_bytes(take).decode()


def _read_json(take: Take) -> Any:
    return orjson.loads(_read_bytes(take))


def _read_count(take: Take) -> int:
    n = _read_long(take)
    if n < 0:  # a block that says its size: allowed, never written by us
        raise Unusual
    return n


def _read_long(take: Take) -> int:
    value = take(1)[0]
    if value > 127:
        value = _rest_of(value, take)
    return value >> 1 ^ -(value & 1)


def _rest_of(first: int, take: Take) -> int:
    """The number, still zigzag, that begins with this byte and goes on."""
    value, shift, byte = first & 127, 7, first
    while byte > 127:
        byte = take(1)[0]
        value |= (byte & 127) << shift
        shift += 7
    if shift > 63:
        raise Unusual
    return value


def _read_double(take: Take) -> float:
    value: float = _DOUBLE.unpack(take(8))[0]
    return value


def _read_boolean(take: Take) -> bool:
    return _BOOLEANS[take(1)]


def _is_nullable(union: Sequence[Any]) -> bool:
    return len(union) == 2 and union[0] == "null"


def _class_of(schema: dict[str, Any]) -> Any:
    return getattr(records, schema["name"].rpartition(".")[2])


_BOOLEANS = {b"\0": False, b"\1": True}
_WRITERS: dict[str, Write] = {
    "boolean": _write_boolean, "int": _write_int, "long": _write_long, "double": _write_double,
    "string": _write_string, "bytes": _write_bytes,
}  # fmt: skip
_READERS: dict[str, Read] = {
    "boolean": _read_boolean, "int": _read_long, "long": _read_long, "double": _read_double,
    "string": _read_string, "bytes": _read_bytes,
}  # fmt: skip
_COMPLEX_WRITERS: dict[str, Callable[[Any], Write]] = {
    "record": _record_writer, "enum": _enum_writer, "array": _array_writer, "map": _map_writer,
}  # fmt: skip
_COMPLEX_READERS: dict[str, Callable[[Any], Read]] = {
    "record": _record_reader, "enum": _enum_reader, "array": _array_reader, "map": _map_reader,
}  # fmt: skip
