"""Typed access to JSON of foreign formats: a missing or wrong field is named, never guessed.

Pure. `Malformed` stays inside the importers, which turn it into an `ImportFault` with its place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

Kind = TypeVar("Kind")


class Malformed(Exception):  # noqa: N818 - named for what it is
    """A field that is missing or of the wrong type."""


def need(raw: Any, name: str, kind: type[Kind]) -> Kind:
    """The field `name` of an object.

    Raises:
        Malformed: no object, no such field, or a value of another type.
    """
    if not isinstance(raw, Mapping):
        raise Malformed(f"expected an object with {name!r}, got {raw!r:.80}")
    if name not in raw:
        raise Malformed(f"lacks {name!r}; it has {sorted(map(str, raw))}")
    value = raw[name]
    if not isinstance(value, kind):
        raise Malformed(f"{name}={value!r:.80} is no {kind.__name__}")
    return value


def optional(raw: Mapping[str, Any], name: str, kind: type[Kind]) -> Kind | None:
    """The field `name`, None where it is absent or null. Raises `Malformed` for another type."""
    return None if raw.get(name) is None else need(raw, name, kind)


def number(raw: Mapping[str, Any], name: str) -> float | None:
    """A finite number, None where it is absent or null. Raises `Malformed` otherwise."""
    value = raw.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise Malformed(f"{name}={value!r:.80} is no finite number")
    return float(value)


def priced(raw: Mapping[str, Any], name: str) -> float | None:
    """A cost in US dollars: an exact 0 means that nobody had a price for the call, so it is unknown."""
    return number(raw, name) or None


def count(raw: Mapping[str, Any], name: str) -> int | None:
    """A whole number >= 0, None where it is absent or null. Raises `Malformed` otherwise."""
    value = raw.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise Malformed(f"{name}={value!r:.80} is no count")
    return value


def microseconds(raw: Mapping[str, Any], name: str) -> int | None:
    """An ISO time as microseconds since the epoch; a time without a zone is read as UTC. Raises `Malformed`."""
    text = optional(raw, name, str)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Malformed(f"{name}={text!r:.80} is no ISO time") from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1_000_000)


def texts(**values: object) -> dict[str, str]:
    """Metadata: the known values as text."""
    return {name: str(value) for name, value in values.items() if value is not None}
