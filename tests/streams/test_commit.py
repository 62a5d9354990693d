"""The watermark never passes an open chunk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.commit import Watermark
from streams.errors import LogWentBack

lengths = st.lists(st.integers(1, 50), min_size=1, max_size=30)


@given(lengths, st.randoms(use_true_random=False), st.integers(0, 5))
def test_position_is_the_smallest_end_before_an_open_chunk(sizes: list[int], chance: object, start: int) -> None:
    """In whatever order chunks are acknowledged, the position stays below the first open one and moves when it can."""
    ends = [start + sum(sizes[: index + 1]) for index in range(len(sizes))]
    mark = Watermark()
    for end, size in zip(ends, sizes, strict=True):
        mark.open(end, size, end)
    order = list(ends)
    chance.shuffle(order)  # type: ignore[attr-defined]
    done: set[int] = set()
    for end in order:
        mark.acknowledge(end)
        done.add(end)
        through = [here for index, here in enumerate(ends) if done.issuperset(ends[: index + 1])]
        assert mark.position == (through[-1] if through else None)
        waits = [here for here in ends if not done.issuperset(ends[: ends.index(here) + 1])]
        assert mark.waits_since_us == (waits[0] if waits else None)
    assert mark.outstanding_bytes == 0


def test_nothing_is_committable_while_the_first_chunk_is_open() -> None:
    """The loss case of faust-streaming #606: nothing committed yet, a later chunk acknowledged first."""
    mark = Watermark()
    mark.open(5, 10, 1)
    mark.open(6, 10, 2)
    assert not mark.acknowledge(6)
    assert mark.position is None
    assert mark.acknowledge(5)
    assert mark.position == 6


def test_an_acknowledgement_of_a_finished_session_changes_nothing() -> None:
    """A chunk that is not open, or was acknowledged before, neither moves the position nor frees bytes twice."""
    mark = Watermark()
    mark.open(5, 10, 1)
    assert not mark.acknowledge(99)
    mark.acknowledge(5)
    assert not mark.acknowledge(5)
    assert mark.outstanding_bytes == 0


def test_offsets_that_go_back_are_refused() -> None:
    """A chunk before an earlier one means that the broker lost its log."""
    mark = Watermark()
    mark.open(100, 1, 1)
    with pytest.raises(LogWentBack, match="offset 7 after one that ended at 100"):
        mark.open(7, 1, 1)
