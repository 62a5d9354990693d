"""The main job's audit: silent where ClickHouse says what the files say, and loud about each difference."""

from typing import Any

import pytest

from bench.main_job import Figures, audit

OWN = {"run.json": Figures(conversations=3, rewards=2.0, cost=0.5, cost_unknown=1, tokens=900)}
ROW = {"file": "run.json", "ids": 3, "conversations": 3, "rewards": 2.0, "cost": 0.50000001} | {
    "cost_unknown": 1,
    "tokens": 900,
}


def test_equal_figures_are_no_fault() -> None:
    """The same figures, costs to a hundredth of a cent, make no difference."""
    assert audit([ROW], OWN) == []


@pytest.mark.parametrize(
    "change",
    [{"ids": 2}, {"conversations": 4}, {"rewards": 1.0}, {"cost": None}, {"cost_unknown": 0}, {"tokens": 899}],
)
def test_each_difference_is_a_fault(change: dict[str, Any]) -> None:
    """A lost, doubled or altered conversation, and a figure that was guessed, is one fault of its file."""
    assert len(audit([{**ROW, **change}], OWN)) == 1


def test_a_file_without_rows_and_rows_without_a_file_are_faults() -> None:
    """What did not land is a fault, and so is what came from nowhere."""
    assert len(audit([{**ROW, "file": "other.json"}], OWN)) == 2
