"""A projection shows what is assumed and leaves unknown what is unknown."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import TASKS
from serving.savings import load_prices, project

PRICES = load_prices()


def test_known_coverages_add_up() -> None:
    """The worked figure: all tasks at 90 % save 0.9 x (1 - 0.03 - 0.03)."""
    projection = project(0.02, dict.fromkeys(TASKS, 0.9), PRICES)
    assert projection.saved_share == pytest.approx(0.9 * 0.94)
    assert projection.saved_usd == pytest.approx(0.02 * 0.9 * 0.94)


def test_unknown_coverage_keeps_the_teacher() -> None:
    """A task without a certified coverage is None, not 0, and adds nothing."""
    projection = project(0.02, {"intent": 1.0}, PRICES)
    assert projection.saved_by_task["response"] is None
    assert projection.saved_share == pytest.approx(0.15 * 0.94)


def test_nothing_known_is_nothing_said() -> None:
    """Without any coverage the share is None; without a recorded cost the amount is None."""
    assert project(0.02, {}, PRICES).saved_share is None
    assert project(None, {"intent": 0.5}, PRICES).saved_usd is None


@given(st.fixed_dictionaries({task: st.none() | st.floats(0, 1) for task in TASKS}))
def test_nobody_saves_more_than_everything(coverage: dict[str, float | None]) -> None:
    """Whatever the coverages, the saved share stays below 1."""
    share = project(None, coverage, PRICES).saved_share  # type: ignore[arg-type]
    assert share is None or 0 <= share < 1


def test_impossible_prices_are_refused() -> None:
    """Shares that do not sum to 1 and ratios above 1 are named."""
    with pytest.raises(ValueError, match="sum to 1"):
        dataclasses.replace(PRICES, spend_shares=dict.fromkeys(TASKS, 0.3))
    with pytest.raises(ValueError, match="audit_share=2"):
        dataclasses.replace(PRICES, audit_share=2)
