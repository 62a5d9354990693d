"""Provenance tells repeats from news, and holes from both."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Provenance
from streams.errors import GapFound
from streams.monotone import Monotone


def session(offsets: list[int]) -> list[Provenance]:
    """What one worker session writes for these root offsets."""
    previous = [None, *offsets][: len(offsets)]
    return [
        Provenance("c", "conversation.events", 0, at, 0, before) for at, before in zip(offsets, previous, strict=True)
    ]


@given(st.lists(st.integers(0, 1000), min_size=1, unique=True), st.data())
def test_replays_of_any_earlier_stretch_change_nothing(offsets: list[int], data: st.DataObject) -> None:
    """A crashed session and its repeat from anywhere before yield each root once, in order."""
    offsets = sorted(offsets)
    crashed = data.draw(st.integers(0, len(offsets)))
    restart = data.draw(st.integers(0, crashed))
    written = session(offsets[:crashed]) + session(offsets[restart:])
    monotone = Monotone()
    assert [p.offset for p in written if monotone.is_new(p)] == offsets


def test_a_missing_predecessor_is_a_gap() -> None:
    """A record that names a predecessor above the mark raises, naming what is missing."""
    monotone = Monotone()
    first, _, third = session([5, 9, 12])
    assert monotone.is_new(first)
    with pytest.raises(GapFound, match="follows offset 9, but 5 is the last"):
        monotone.is_new(third)


def test_a_replayed_dead_letter_passes_the_mark() -> None:
    """Attempt > 0 is judged by its key elsewhere, and does not move the mark."""
    monotone = Monotone()
    assert monotone.is_new(Provenance("c", "t", 0, 9))
    assert monotone.is_new(Provenance("c", "t", 0, 3, attempt=1))
    assert not monotone.is_new(Provenance("c", "t", 0, 9))


def test_another_cluster_begins_anew() -> None:
    """A fresh broker counts offsets from 0 again."""
    monotone = Monotone()
    assert monotone.is_new(Provenance("old", "t", 0, 900))
    assert monotone.is_new(Provenance("new", "t", 0, 0))
