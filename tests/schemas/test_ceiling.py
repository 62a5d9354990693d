"""The ceiling stops a stage that refuses nearly everything, however its records are cut into chunks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ceiling import Ceiling, Limits


def test_a_run_of_refusals_stops() -> None:
    """One accepted record ends a run; as many refusals in a row as allowed reach the ceiling."""
    ceiling = Ceiling(Limits(ratio=1.0, window=10_000, run=100))
    assert ceiling.judge([True] * 99 + [False] + [True] * 99) is None
    assert ceiling.judge([True]) == "the last 100 records in a row"


def test_a_high_share_of_refusals_stops_once_the_window_is_full() -> None:
    """Half of the window refused passes, one more reaches the ceiling."""
    ceiling = Ceiling(Limits(ratio=0.5, window=100, run=1000))
    assert ceiling.judge([True, False] * 50) is None
    assert ceiling.judge([False, True, True, True]) == "51 of the last 100 records"


@given(st.lists(st.booleans(), max_size=200))
def test_chunking_does_not_matter(refusals: list[bool]) -> None:
    """Judged at once or one by one, the verdict is the same."""
    limits = Limits(ratio=0.4, window=20, run=10)

    def stops(parts: list[list[bool]]) -> bool:
        ceiling = Ceiling(limits)
        return any(ceiling.judge(part) for part in parts)

    assert stops([refusals]) == stops([[refused] for refused in refusals])


@pytest.mark.parametrize("wrong", [{"ratio": 0.0}, {"ratio": 1.5}, {"window": 0}, {"run": 0}])
def test_limits_are_checked_at_birth(wrong: dict[str, float]) -> None:
    """A ceiling that can never be kept, or is none, is refused with its values."""
    with pytest.raises(ValueError, match="need 0 < ratio <= 1"):
        Limits(**wrong)  # type: ignore[arg-type]


@given(st.lists(st.one_of(st.integers(1, 30), st.lists(st.booleans(), min_size=1, max_size=15)), max_size=20))
def test_letting_pass_is_judging_that_none_was_refused(chunks: list[int | list[bool]]) -> None:
    """The short way for chunks without a refusal stops exactly where judging each record stops."""
    short, long = (Ceiling(Limits(ratio=0.3, window=10, run=4)) for _ in range(2))
    for chunk in chunks:
        if isinstance(chunk, int):
            verdict, expected = short.let_pass(chunk), long.judge([False] * chunk)
        else:
            verdict, expected = short.judge(chunk), long.judge(chunk)
        assert verdict == expected
        if verdict:
            return
