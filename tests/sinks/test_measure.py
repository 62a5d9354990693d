"""Figures of a conversation: known only when all of it is known."""

import pytest

from sinks.measure import model, total


def _usage(message: int | None, cost: float | None, name: str | None = "m-1") -> dict[str, object]:
    return {"message": message, "cost_usd": cost, "model": name}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ([], None),
        ([_usage(None, 0.5)], 0.5),
        ([_usage(0, 0.1), _usage(2, 0.2)], pytest.approx(0.3)),
        ([_usage(0, 0.1), _usage(2, None)], None),
        ([_usage(0, 0.1), _usage(2, None), _usage(None, 0.7)], 0.7),
        ([_usage(0, 0.0)], 0.0),
    ],
)
def test_a_total_is_known_only_when_every_part_is(usage: list[dict[str, object]], expected: float | None) -> None:
    """The contact's own entry wins; otherwise one unpriced call leaves the sum unknown."""
    assert total(usage, "cost_usd") == expected


def test_several_models_are_named_together() -> None:
    """An analyst sees that a contact was answered by two models; none reported is null."""
    assert model([_usage(0, None, "b"), _usage(1, None, "a"), _usage(2, None, None)]) == "a+b"
    assert model([_usage(0, None, None)]) is None
