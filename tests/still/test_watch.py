"""What a crash of the broker took is what the last look saw and ClickHouse does not hold."""

from __future__ import annotations

from still.lag import Look
from still.told import loss_line
from still.watch import Lost, missing

SEEN = Look("old", {("p.examples", 0): 10, ("p.examples", 1): 4, ("p.scores", 0): 7, ("p.dead.letters", 0): 0}, 0.0)


def test_missing_is_counted_by_topic() -> None:
    """Partitions add up; what landed after the look, or is not there at all, counts nothing or whole."""
    there = {("examples", 0): 8, ("examples", 1): 6, ("conversations", 0): 3}
    assert missing(SEEN, there, "p.") == {"examples": 2, "scores": 7}
    assert missing(SEEN, {("examples", 0): 10, ("examples", 1): 4, ("scores", 0): 7}, "p.") == {}


def test_loss_says_from_when_it_is_known() -> None:
    """The line says how old the look is, and that what came after it is not counted."""
    line = loss_line(Lost("old", 3.2, {"examples": 2, "scores": 1700}, 5))
    assert "1,702 records (examples 2, scores 1,700) that were there 3.2 s ago had not landed" in line
    assert "5 contacts had not become conversations; what came since is not counted" in line


def test_unknown_is_not_zero() -> None:
    """Without a look or without ClickHouse nothing is claimed."""
    assert "how many records were lost is unknown" in loss_line(Lost("old", None, None, None))
    assert "is unknown, and 30 contacts had not become" in loss_line(Lost("old", None, None, 30))
