"""The compatibility check finds the changes that would strand old messages."""

from typing import Any

import pytest

from schemas.compatibility import faults

OLD: dict[str, Any] = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "a", "type": "int"},
        {"name": "kind", "type": {"type": "enum", "name": "K", "symbols": ["x", "y"]}},
    ],
}


def _with(*fields: dict[str, Any]) -> dict[str, Any]:
    return {**OLD, "fields": list(fields)}


@pytest.mark.parametrize(
    ("reader", "why"),
    [
        (_with(OLD["fields"][0], OLD["fields"][1], {"name": "b", "type": "int"}), "new without a default"),
        (_with({"name": "a", "type": "string"}), "a type must not change"),
        (_with({"name": "a", "type": ["null", "string"]}), "reads only"),
        (_with({"name": "kind", "type": {"type": "enum", "name": "K", "symbols": ["x"]}}), "lost ['y']"),
        ({**OLD, "name": "S"}, "keep the name"),
    ],
)
def test_incompatible_change_is_explained(reader: dict[str, Any], why: str) -> None:
    """Each kind of breaking change is named in words."""
    assert any(why in fault for fault in faults(OLD, reader))


@pytest.mark.parametrize(
    "reader",
    [
        OLD,
        _with(OLD["fields"][0]),
        _with({"name": "a", "type": "long"}, {"name": "b", "type": ["null", "int"], "default": None}),
        _with({"name": "a", "type": ["null", "int"]}),
    ],
)
def test_compatible_change_passes(reader: dict[str, Any]) -> None:
    """Dropping a field, widening a number, making it nullable and adding with a default are fine."""
    assert faults(OLD, reader) == []
