"""What has landed is dropped, what has not is kept, whatever was delivered how often."""

from hypothesis import given
from hypothesis import strategies as st

from sinks.deduplicate import Deduplicator
from sinks.values import Landed, Mark, Row, Source

SOURCE = Source("root", "conversation.events", 0)


def _row(offset: int, index: int, attempt: int = 0) -> Row:
    return Row((), SOURCE, Mark(offset, index), attempt)


@given(st.sets(st.integers(0, 50)), st.integers(-1, 50))
def test_recovery_drops_exactly_what_is_present(present: set[int], last: int) -> None:
    """Reading on from the mark keeps every offset that is missing, once."""
    landed = Deduplicator.of(Landed(last, frozenset(o for o in present if o > last)))
    kept = [offset for offset in range(last + 1, 60) if not landed.is_landed(offset)]
    assert kept == [offset for offset in range(last + 1, 60) if offset not in present]


@given(st.lists(st.integers(0, 20), max_size=8), st.integers(1, 3))
def test_a_source_that_appends_again_lands_once(rewinds: list[int], per_offset: int) -> None:
    """A worker that crashes and repeats from any earlier offset leaves each record once, in order."""
    deduplicator = Deduplicator(-1, frozenset())
    runs = [range(start, 25) for start in [0, *rewinds]]
    log = [(offset, index) for run in runs for offset in run for index in range(per_offset)]
    kept = [place for place in log if not deduplicator.is_repeated(_row(*place))]
    assert kept == [(offset, index) for offset in range(25) for index in range(per_offset)]


def test_a_replayed_record_passes_the_mark() -> None:
    """A record with attempt > 0 is judged by its key, and moves no mark."""
    deduplicator = Deduplicator(-1, frozenset(), {SOURCE: Mark(10, 0)})
    assert not deduplicator.is_repeated(_row(3, 0, attempt=1))
    assert deduplicator.marks[SOURCE] == Mark(10, 0)


def test_sources_do_not_hide_one_another() -> None:
    """Another cluster's offsets begin again and count on their own."""
    deduplicator = Deduplicator(-1, frozenset(), {SOURCE: Mark(10, 0)})
    assert not deduplicator.is_repeated(Row((), SOURCE._replace(cluster="next"), Mark(0, 0)))
