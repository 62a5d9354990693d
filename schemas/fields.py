"""Typed access to JSON: a missing, wrong or unknown field is named, never guessed.

Pure. Whoever reads a file adds the place to the message.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson

from schemas.depth import quoted, refuse_deep
from schemas.errors import InvalidRecord

Kind = TypeVar("Kind")
_WORDS = {str: "text", dict: "object", list: "list", int: "whole number"}


def object_of(line: bytes) -> dict[str, Any]:
    """The JSON object of a line.

    Raises:
        InvalidRecord: no JSON, another value, or one that nests too deep; quotes its beginning.
    """
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InvalidRecord(broken(error)) from None
    if not isinstance(value, dict):
        raise InvalidRecord(f"holds {type(value).__name__}, not an object: {line[:60]!r}")
    refuse_deep(value.items())
    return value


def broken(error: orjson.JSONDecodeError) -> str:
    """Why a text is no JSON, as a reader of the file would say it."""
    if error.msg.startswith("str is not valid UTF-8"):
        return "is no UTF-8 text; save it as UTF-8"
    return f"is no JSON: {error.msg} in column {error.colno}"


def refuse_unknown(raw: Mapping[str, Any], known: Collection[str], where: str) -> None:
    """See that an object has no field but the `known` ones: what nobody reads is a mistake, or would be lost silently.

    Raises:
        InvalidRecord: it has; names it and its value.
    """
    for name in sorted(raw.keys() - set(known)):
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}? If not, leave it out" if near else f"leave it out, it knows {sorted(known)}"
        raise InvalidRecord(f"{where} has no field {name!r}={quoted(raw[name])}; {hint}")


def need(raw: Any, name: str, kind: type[Kind]) -> Kind:
    """The field `name` of an object.

    Raises:
        InvalidRecord: no object, no such field, or a value of another type.
    """
    if not isinstance(raw, Mapping):
        raise InvalidRecord(f"expected an object with {name!r}, got {quoted(raw)}")
    if name not in raw:
        raise InvalidRecord(f"lacks {name!r}; it has {sorted(map(str, raw))}")
    value = raw[name]
    if not isinstance(value, kind):
        raise InvalidRecord(f"{name}={quoted(value)} is no {_WORDS.get(kind, kind.__name__)}")
    return value


def optional(raw: Mapping[str, Any], name: str, kind: type[Kind]) -> Kind | None:
    """The field `name`, None where it is absent or null. Raises `InvalidRecord` for another type."""
    return None if raw.get(name) is None else need(raw, name, kind)


def number(raw: Mapping[str, Any], name: str) -> float | None:
    """A finite number, None where it is absent or null. Raises `InvalidRecord` otherwise."""
    value = raw.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InvalidRecord(f"{name}={quoted(value)} is no finite number")
    return float(value)


def priced(raw: Mapping[str, Any], name: str) -> float | None:
    """A cost in US dollars: an exact 0 means that nobody had a price for the call, so it is unknown."""
    return number(raw, name) or None


def count(raw: Mapping[str, Any], name: str) -> int | None:
    """A whole number >= 0, None where it is absent or null. Raises `InvalidRecord` otherwise."""
    value = raw.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidRecord(f"{name}={quoted(value)} is no count")
    return value


def microseconds(raw: Mapping[str, Any], name: str) -> int | None:
    """An ISO time as microseconds since the epoch; a time without a zone is read as UTC. Raises `InvalidRecord`."""
    text = optional(raw, name, str)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRecord(f"{name}={quoted(text)} is no ISO time") from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1_000_000)


def texts(**values: object) -> dict[str, str]:
    """Metadata: the known values as text."""
    return {name: str(value) for name, value in values.items() if value is not None}
