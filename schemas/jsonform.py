"""The JSON form of records: what people and services without Avro write, and what examples and commands print.

Checked against the same Avro schema, with the field and the value named; bytes travel as latin-1 text.
"""

from __future__ import annotations

from typing import Any, TypeVar

import orjson
from fastavro.validation import ValidationError, validate

from schemas import catalog
from schemas.datum import from_datum, is_json, is_nullable, to_datum
from schemas.errors import InvalidRecord
from schemas.records import Record

R = TypeVar("R", bound=Record)


def from_json(raw: dict[str, Any], kind: type[R]) -> R:
    """The record in a plain JSON object; absent fields take their defaults, absent JSON fields are empty lists.

    Raises:
        InvalidRecord: a missing, unknown or wrong value.
    """
    fields = catalog.newest_schema(kind.__name__)["fields"]
    _refuse_unknown(raw, fields, kind.__name__)
    datum = {f["name"]: _filled(f, raw) for f in fields if f["name"] in raw or "default" in f or is_json(f)}
    if missing := [f["name"] for f in fields if f["name"] not in datum]:
        raise InvalidRecord(f"{kind.__name__} lacks {', '.join(missing)}; add it")
    if fault := first_fault(datum, fields):
        raise InvalidRecord(f"{kind.__name__}: {fault}")
    record: R = from_datum(kind, datum)
    return record


def to_json(record: Record) -> dict[str, Any]:
    """The record as a plain JSON object: what `from_json` reads."""
    datum = to_datum(record)
    for field in catalog.newest_schema(type(record).__name__)["fields"]:
        if is_json(field) and datum[field["name"]] is not None:
            datum[field["name"]] = orjson.loads(datum[field["name"]])
    plain: dict[str, Any] = _bytes_to_text(datum)
    return plain


def first_fault(datum: dict[str, Any], fields: list[dict[str, Any]]) -> str | None:
    """What is wrong with which field, in words; None where nothing is."""
    for field in fields:
        name = field["name"]
        if name not in datum:
            return f"{name} is missing"
        try:
            validate(datum[name], field["type"])
        except (ValidationError, AttributeError, TypeError, ValueError):
            return f"{name}={datum[name]!r:.120} is not {_plain_type(field['type'])}"
    return None


def _refuse_unknown(raw: dict[str, Any], fields: list[dict[str, Any]], name: str) -> None:
    known = {f["name"] for f in fields}
    if unknown := sorted(raw.keys() - known):
        raise InvalidRecord(f"{name} has no field {', '.join(map(repr, unknown))}; it knows {sorted(known)}")


def _filled(field: dict[str, Any], raw: dict[str, Any]) -> Any:
    value = raw.get(field["name"], field.get("default", [] if is_json(field) else None))
    if is_json(field):
        return None if value is None and is_nullable(field) else orjson.dumps(value).decode()
    return _fit(value, field["type"])


def _fit(value: Any, type_: Any) -> Any:
    """JSON has one number type and no bytes: bring a value to what its Avro type expects, filling defaults."""
    if isinstance(type_, list):
        return value if value is None else _fit(value, _branch(value, type_))
    if not isinstance(type_, dict):
        return _scalar(value, type_)
    if type_["type"] == "record" and isinstance(value, dict):
        fields = [f for f in type_["fields"] if f["name"] in value or "default" in f]
        return {**value, **{f["name"]: _fit(value.get(f["name"], f.get("default")), f["type"]) for f in fields}}
    if type_["type"] == "array" and isinstance(value, list):
        return [_fit(item, type_["items"]) for item in value]
    if type_["type"] == "map" and isinstance(value, dict):
        return {key: _fit(item, type_["values"]) for key, item in value.items()}
    return value


def _scalar(value: Any, type_: Any) -> Any:
    if type_ == "double" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type_ == "bytes" and isinstance(value, str):
        return value.encode("latin-1")
    return value


def _branch(value: Any, union: list[Any]) -> Any:
    """The branch of a union that a JSON value means; no union of ours holds both integers and doubles."""
    branches = [branch for branch in union if branch != "null"]
    if len(branches) == 1:
        return branches[0]
    wanted = "boolean" if isinstance(value, bool) else "string" if isinstance(value, str) else "double"
    return wanted if wanted in branches else branches[0]


def _plain_type(type_: Any) -> str:
    if isinstance(type_, list):
        return " or ".join(_plain_type(branch) for branch in type_)
    if isinstance(type_, dict):
        symbols = type_.get("symbols")
        return f"one of {', '.join(symbols)}" if symbols else f"a valid {type_.get('name', type_['type'])}"
    return str(type_)


def _bytes_to_text(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, dict):
        return {key: _bytes_to_text(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_bytes_to_text(item) for item in value]
    return value
