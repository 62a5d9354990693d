"""Provenance tells repeats from news, and holes from both."""

from __future__ import annotations

from collections.abc import Iterator

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


def restarted(*log: Provenance | None) -> Monotone:
    """A process that begins behind these records, the oldest first; None = one that nobody can read."""
    return Monotone(lambda: reversed(log))


def test_a_gap_is_a_gap_at_every_start() -> None:
    """The record behind a hole is refused although it is the first that the process sees."""
    first, _, third = session([5, 9, 12])
    for _ in range(2):
        with pytest.raises(GapFound, match=r"follows offset 9, but 5 is the last.*STILL_ACCEPT_GAP='conversation.eve"):
            restarted(first).is_new(third)


def news(written: list[Provenance | None], start: int) -> list[int]:
    """The root offsets that a process which begins at `start` takes as new."""
    monotone, found = restarted(*written[:start]), []
    for one in written[start:]:
        if one is None:
            monotone.waive()
        elif monotone.is_new(one):
            found.append(one.offset)
    return found


@given(st.lists(st.integers(0, 1000), min_size=2, unique=True), st.data())
def test_a_start_anywhere_in_a_whole_log_finds_no_gap(offsets: list[int], data: st.DataObject) -> None:
    """Two sessions of which one repeats the other's end, interleaved as they like: whatever is new still comes."""
    offsets = sorted(offsets)
    successor = data.draw(st.integers(0, len(offsets) - 1))
    mine, again = session(offsets)[successor:], session(offsets[successor:])
    written: list[Provenance | None] = [*session(offsets)[:successor]]
    while mine or again:
        written.append((mine if not again or (mine and data.draw(st.booleans())) else again).pop(0))
    start = data.draw(st.integers(0, len(written)))
    had = {p.offset for p in written[:start] if p is not None}
    assert set(news(written, start)) | had == set(offsets)


@given(st.lists(st.tuples(st.integers(0, 1000), st.booleans()), unique_by=lambda one: one[0]), st.integers(0, 20))
def test_poison_anywhere_is_no_gap(offsets: list[tuple[int, bool]], start: int) -> None:
    """Whichever records nobody can read, and wherever a process begins: it takes all others."""
    placed = sorted(offsets)
    written = [
        one if readable else None for one, (_, readable) in zip(session([at for at, _ in placed]), placed, strict=True)
    ]
    assert news(written, start) == [one.offset for one in written[start:] if one is not None]


def test_what_the_log_had_before_is_looked_at_only_as_far_as_needed() -> None:
    """A predecessor that stands right before the start costs one record; where none is named, none is read."""
    looked: list[Provenance] = []
    first, second, third = session([5, 9, 12])

    def earlier() -> Iterator[Provenance]:
        for one in (second, first):
            looked.append(one)
            yield one

    assert Monotone(earlier).is_new(first)
    assert looked == []
    assert Monotone(earlier).is_new(third)
    assert looked == [second]


def test_what_the_log_had_before_is_no_news() -> None:
    """A repeat right behind a restart is recognised, too."""
    first, second, third = session([5, 9, 12])
    monotone = restarted(first, second, third)
    assert [monotone.is_new(p) for p in (second, third)] == [False, False]


def test_a_late_zombie_makes_no_gap() -> None:
    """Its records, read last before the restart, lie far below what its successor wrote before."""
    successor, zombie = session([5, 9, 12, 20, 30]), session([5, 9])
    monotone = restarted(*successor[:4], *zombie)
    assert monotone.is_new(successor[4])


def test_a_record_that_nobody_can_read_may_be_the_missing_one() -> None:
    """Before the start or after it, it stands for one predecessor, not for two."""
    first, _, third, _, fifth = session([5, 9, 12, 15, 20])
    before = restarted(first, None)
    assert before.is_new(third)
    after = restarted(first)
    after.waive()
    assert after.is_new(third)
    for monotone in (before, after):
        with pytest.raises(GapFound, match="follows offset 15, but 12 is the last"):
            monotone.is_new(fifth)


def test_nothing_to_judge_by_is_no_gap() -> None:
    """Expired records, those of another cluster and replays say nothing of a predecessor."""
    _, second = session([5, 9])
    assert restarted().is_new(second)
    assert restarted(Provenance("old", "t", 0, 3)).is_new(second)
    assert restarted(Provenance("c", "t", 0, 3, attempt=1)).is_new(second)
