"""Between records and the dicts that fastavro reads and writes: nested values as dicts, JSON fields as text.

The plan of each record class is made once from its type hints and its newest schema, so the hot path only follows it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import orjson

from schemas import catalog
from schemas.depth import quoted
from schemas.errors import InvalidRecord
from schemas.records import RECORDS

_Convert = Callable[[Any], Any]


def to_datum(record: Any) -> dict[str, Any]:
    """The dict that fastavro writes for a record.

    Raises:
        InvalidRecord: a JSON field holds what JSON cannot.
    """
    datum: dict[str, Any] = {}
    for name, write, _ in _plan(record.__class__):
        value = getattr(record, name)
        datum[name] = value if write is None else write(value)
    return datum


def from_datum(kind: Any, datum: Any) -> Any:
    """The record of a dict that fastavro read."""
    values: dict[str, Any] = {}
    for name, _, read in _plan(kind):
        value = datum[name]
        values[name] = value if read is None else read(value)
    return kind(**values)


def is_json(field: dict[str, Any]) -> bool:
    """Whether this schema field travels as JSON text."""
    return field.get("contentType") == "application/json"


def is_nullable(field: dict[str, Any]) -> bool:
    """Whether this schema field may be null itself; a JSON field that may not writes None as JSON's own null."""
    return isinstance(field["type"], list)


@cache
def _plan(kind: Any) -> tuple[tuple[str, _Convert | None, _Convert | None], ...]:
    """Per field of a record: its name, and how to write and read it (None = as it is)."""
    hints = get_type_hints(kind)
    as_json = _json_fields(kind)
    return tuple((f.name, *(as_json.get(f.name) or _converters(hints[f.name]))) for f in fields(kind))


def _json_fields(kind: Any) -> dict[str, tuple[_Convert, _Convert]]:
    if kind.__name__ not in RECORDS:
        return {}
    found = [f for f in catalog.newest_schema(kind.__name__)["fields"] if is_json(f)]
    always: tuple[_Convert, _Convert] = (_dump_json, orjson.loads)
    return {
        f["name"]: (_unless_none(_dump_json), _unless_none(orjson.loads)) if is_nullable(f) else always for f in found
    }


def _converters(hint: Any) -> tuple[_Convert | None, _Convert | None]:
    if get_origin(hint) in (Union, UnionType):
        inner = [arg for arg in get_args(hint) if arg is not type(None)]
        write, read = _converters(inner[0]) if len(inner) == 1 else (None, None)
        return write and _unless_none(write), read and _unless_none(read)
    if get_origin(hint) is tuple:
        write, read = _converters(get_args(hint)[0])
        return _each(write, list), _each(read, tuple)
    if is_dataclass(hint):
        return to_datum, _reader_of(hint)
    return None, None


def _dump_json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except (TypeError, orjson.JSONEncodeError) as error:
        raise InvalidRecord(f"{quoted(value, 120)} cannot be written as JSON: {error}") from error


def _unless_none(convert: _Convert) -> _Convert:
    return lambda value: None if value is None else convert(value)


def _each(convert: _Convert | None, make: Callable[[Any], Any]) -> _Convert:
    return make if convert is None else lambda values: make(convert(value) for value in values)


def _reader_of(kind: Any) -> _Convert:
    return lambda datum: from_datum(kind, datum)
