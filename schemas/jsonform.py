"""The JSON form of records: what people and services without Avro write, and what examples and commands print.

Checked against the same Avro schema, with the field and the value named; bytes travel as latin-1 text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import orjson
from fastavro.validation import ValidationError, validate

from schemas import catalog, edge
from schemas.datum import from_datum, is_json, is_nullable, to_datum
from schemas.depth import quoted, refuse_deep
from schemas.errors import InvalidRecord
from schemas.fields import refuse_unknown
from schemas.records import ConversationEvent, Record

R = TypeVar("R", bound=Record)


def from_json(raw: dict[str, Any], kind: type[R]) -> R:
    """The record in a plain JSON object; absent fields take their defaults, absent JSON fields are empty lists.

    Feedback without a kind takes the one that its value has: see `edge.feedback_kind`.

    Raises:
        InvalidRecord: a missing, unknown or wrong value, or one that nests too deep.
    """
    refuse_deep(raw.items())
    fields = catalog.newest_schema(kind.__name__)["fields"]
    refuse_unknown(raw, [f["name"] for f in fields], kind.__name__)
    given = _with_feedback_kind(raw) if kind is ConversationEvent else raw
    datum = {f["name"]: _filled(f, given) for f in fields if f["name"] in raw or "default" in f or is_json(f)}
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
        if not _fits(datum[name], field["type"]):
            return _fault(name, datum[name], field["type"])
    return None


def _fits(value: Any, type_: Any) -> bool:
    try:
        return bool(validate(value, type_))
    except (ValidationError, AttributeError, TypeError, ValueError):
        return False


def _fault(where: str, value: Any, type_: Any) -> str | None:
    """What is wrong with a value, told at the innermost place; None where it fits."""
    branches = [branch for branch in type_ if branch != "null"] if isinstance(type_, list) else [type_]
    if isinstance(type_, list) and value is None and len(branches) < len(type_):
        return None
    inner = branches[0] if len(branches) == 1 and isinstance(branches[0], dict) else {}
    if inner.get("type") == "record" and isinstance(value, dict):
        return _field_fault(where, value, inner["fields"])
    if inner.get("type") == "array" and isinstance(value, (list, tuple)):
        return _first(_fault(f"{where}[{place}]", one, inner["items"]) for place, one in enumerate(value))
    if inner.get("type") == "map" and isinstance(value, dict):
        return _first(_fault(f"{where}[{key!r}]", one, inner["values"]) for key, one in value.items())
    return None if _fits(value, type_) else f"{where}={quoted(value, 120)} is not {_words(type_)}"


def _field_fault(where: str, value: dict[str, Any], fields: list[dict[str, Any]]) -> str | None:
    """The same for an object's fields; defaults are filled by now."""
    if missing := [f"{field['name']} ({_words(field['type'])})" for field in fields if field["name"] not in value]:
        return f"{where} lacks {', '.join(missing)}; add it"
    return _first(_fault(f"{where}.{field['name']}", value[field["name"]], field["type"]) for field in fields)


def _first(faults: Iterable[str | None]) -> str | None:
    return next(filter(None, faults), None)


def _with_feedback_kind(raw: dict[str, Any]) -> dict[str, Any]:
    feedback = raw.get("feedback")
    if not isinstance(feedback, dict) or "kind" in feedback:
        return raw
    kind = edge.feedback_kind(feedback.get("value"))
    return raw if kind is None else {**raw, "feedback": {**feedback, "kind": kind}}


def _filled(field: dict[str, Any], raw: dict[str, Any]) -> Any:
    value = raw.get(field["name"], field.get("default", [] if is_json(field) else None))
    if is_json(field):
        return None if value is None and is_nullable(field) else orjson.dumps(value).decode()
    return _fit(field["name"], value, field["type"])


def _fit(where: str, value: Any, type_: Any) -> Any:
    """JSON has one number type and no bytes: bring a value to what its Avro type expects, filling defaults.

    Raises:
        InvalidRecord: an object has a field that its type does not know.
    """
    if isinstance(type_, list):
        return value if value is None else _fit(where, value, _branch(value, type_))
    if not isinstance(type_, dict):
        return _scalar(value, type_)
    if type_["type"] == "record" and isinstance(value, dict):
        return _fit_fields(where, value, type_["fields"])
    if type_["type"] == "array" and isinstance(value, list):
        return [_fit(f"{where}[{place}]", item, type_["items"]) for place, item in enumerate(value)]
    if type_["type"] == "map" and isinstance(value, dict):
        return {key: _fit(f"{where}[{key!r}]", item, type_["values"]) for key, item in value.items()}
    return value


def _fit_fields(where: str, value: dict[str, Any], fields: list[dict[str, Any]]) -> dict[str, Any]:
    refuse_unknown(value, [f["name"] for f in fields], where)
    there = [f for f in fields if f["name"] in value or "default" in f]
    return {f["name"]: _fit(f"{where}.{f['name']}", value.get(f["name"], f.get("default")), f["type"]) for f in there}


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


_WORDS = {
    "null": "null", "string": "text", "bytes": "bytes", "boolean": "true or false", "double": "a number",
    "int": "a whole number of 32 bits", "long": "a whole number of 64 bits",
}  # fmt: skip
_MANY = {"string": "texts", "bytes": "byte strings"}


def _words(type_: Any) -> str:
    """What a type takes, for people."""
    if isinstance(type_, list):
        return " or ".join(_words(branch) for branch in sorted(type_, key=lambda branch: branch == "null"))
    if not isinstance(type_, dict):
        return _WORDS.get(str(type_), str(type_))
    if type_["type"] == "array":
        return f"a list of {_many(type_['items'])}"
    if type_["type"] == "map":
        return f"an object that holds {_many(type_['values'])}"
    return f"one of {', '.join(type_['symbols'])}" if "symbols" in type_ else f"an object with {_names(type_)}"


def _many(type_: Any) -> str:
    return f"objects with {_names(type_)}" if isinstance(type_, dict) else _MANY.get(type_, f"{type_}s")


def _names(type_: dict[str, Any]) -> str:
    return ", ".join(field["name"] for field in type_["fields"])


def _bytes_to_text(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, dict):
        return {key: _bytes_to_text(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_bytes_to_text(item) for item in value]
    return value
