"""The plan of a long run: a seed keeps it, so that a run that was cut off goes on by it."""

from __future__ import annotations

import pytest

from tests.crash.victims import STARTUP_SHARE, due


def test_a_seed_keeps_its_plan() -> None:
    """Each life's end is a function of seed, process and number alone: these stood before ClickHouse was a victim."""
    assert [due(7, "sink", number, 12.0) for number in (0, 1)] == [
        (11.892172180100408, False),
        (9.560797733348696, False),
    ]
    assert due(7, "clickhouse", 2, 40.0) == (0.727122037159238, True)


@pytest.mark.parametrize("name", ["worker", "sink", "clickhouse", "publisher", "broker-0"])
def test_ends_are_spread_over_lives_and_starts(name: str) -> None:
    """Uniform over the whole life, a fifth of them counted from the start."""
    plan = [due(1, name, number, 40.0) for number in range(2000)]
    assert sum(one.in_start for one in plan) / len(plan) == pytest.approx(STARTUP_SHARE, abs=0.03)
    quarters = [sum(at <= one.after_s < at + 10 for one in plan) / len(plan) for at in (0, 10, 20, 30)]
    assert quarters == pytest.approx([0.25] * 4, abs=0.04)
