"""What has landed is dropped, what has not is kept, whatever was delivered how often."""

from hypothesis import given
from hypothesis import strategies as st

from sinks.deduplicate import Deduplicator
from sinks.values import Landed, Mark, Origin, Row, Source

SOURCE = Source("root", "conversation.events", 0)


def _row(offset: int, index: int, attempt: int = 0) -> Row:
    return Row((), SOURCE, Mark(offset, index), attempt)


@given(st.sets(st.integers(0, 50)), st.integers(-1, 50))
def test_recovery_drops_exactly_what_is_present(present: set[int], last: int) -> None:
    """Reading on from the mark keeps every offset that is missing, once."""
    landed = Deduplicator.of(Landed(last, dict.fromkeys(o for o in present if o > last)))
    kept = [offset for offset in range(last + 1, 60) if not landed.is_landed(offset)]
    assert kept == [offset for offset in range(last + 1, 60) if offset not in present]


@given(st.lists(st.integers(0, 20), max_size=8), st.integers(1, 3))
def test_a_source_that_appends_again_lands_once(rewinds: list[int], per_offset: int) -> None:
    """A worker that crashes and repeats from any earlier offset leaves each record once, in order."""
    deduplicator = Deduplicator()
    runs = [range(start, 25) for start in [0, *rewinds]]
    log = [(offset, index) for run in runs for offset in run for index in range(per_offset)]
    kept = [place for place in log if not deduplicator.is_repeated(_row(*place))]
    assert kept == [(offset, index) for offset in range(25) for index in range(per_offset)]


def test_a_replayed_record_passes_the_mark() -> None:
    """A record with attempt > 0 is judged by its key, and moves no mark."""
    deduplicator = Deduplicator(marks={SOURCE: Mark(10, 0)})
    assert not deduplicator.is_repeated(_row(3, 0, attempt=1))
    assert deduplicator.marks[SOURCE] == Mark(10, 0)


def test_sources_do_not_hide_one_another() -> None:
    """Another cluster's offsets begin again and count on their own."""
    deduplicator = Deduplicator(marks={SOURCE: Mark(10, 0)})
    assert not deduplicator.is_repeated(Row((), SOURCE._replace(cluster="next"), Mark(0, 0)))


def test_a_row_missing_before_a_landed_one_is_no_repeat() -> None:
    """Test 3: of a block that landed in part, rows with lower marks than those that are there still land."""
    present = {offset: Origin(SOURCE, Mark(offset, 0)) for offset in (1, 3)}
    deduplicator = Deduplicator.of(Landed(-1, present, {}))
    log = [(0, 0), (1, 1), (2, 2), (3, 3), (4, 1), (5, 3), (6, 4)]  # offset, source offset: 4 and 5 are repeats
    kept = [
        at for at, source in log if not deduplicator.is_landed(at) and not deduplicator.is_repeated(_row(source, 0))
    ]
    assert kept == [0, 2, 6]
    assert deduplicator.moved() == {SOURCE: Mark(4, 0)}
    assert deduplicator.moved() == {}


@given(st.lists(st.integers(0, 12), max_size=5), st.sets(st.integers(0, 40)), st.integers(0, 40))
def test_any_part_of_a_log_that_landed_is_completed(rewinds: list[int], landed: set[int], marked: int) -> None:
    """Whichever rows of a log with repeats a crash had left, and wherever the ledger was, the rest lands once."""
    log = [offset for start in [0, *rewinds] for offset in range(start, 15)]
    whole = Deduplicator()
    wanted = [at for at, source in enumerate(log) if not whole.is_repeated(_row(source, 0))]
    until = min(marked, len(log) - 1)
    base = {SOURCE: Mark(max(log[: until + 1]), 0)}
    present = {at: Origin(SOURCE, Mark(log[at], 0)) for at in wanted if at > until and at in landed}
    again = Deduplicator.of(Landed(until, present, base))
    rest = [at for at, s in enumerate(log) if not again.is_landed(at) and not again.is_repeated(_row(s, 0))]
    assert sorted([*(at for at in wanted if at <= until), *present, *rest]) == wanted
