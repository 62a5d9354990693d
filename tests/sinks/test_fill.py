"""However records are read and whatever is there already: what is missing, and only that, comes into the batch."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import encode
from sinks.buffer import Batch
from sinks.decode_columns import bulk_decoders
from sinks.deduplicate import Deduplicator
from sinks.fill import fill
from sinks.tables import table
from sinks.values import Arrived, Landed, Mark, Origin, Source
from tests.sinks.made import EXAMPLES, arrived, example

TABLE = table("examples")
DECODE = bulk_decoders(b"key")["examples"]
SOURCE = Source("root-1", "conversation.events", 0)
# Two records were appended again by a worker that had crashed, and one is no record.
SOURCES = [0, 1, 2, None, 3, 1, 2, 3, 4, 5, 4, 6]
LOG = [arrived(b"junk" if n is None else encode(example(n)), offset) for offset, n in enumerate(SOURCES)]
FIRST = [0, 1, 2, 4, 8, 9, 11]


def _read(deduplicator: Deduplicator, records: list[Arrived], size: int) -> Batch:
    batch = Batch(TABLE)
    for at in range(0, len(records), size):
        fill(batch, records[at : at + size], {EXAMPLES: deduplicator}, DECODE)
    return batch


@given(st.sets(st.sampled_from(FIRST)), st.integers(1, len(LOG)))
def test_what_is_missing_is_taken_once(present: set[int], size: int) -> None:
    """Test 3: any rows may be there after a crash, before or behind those that are not, read in pieces of any size."""
    origins = {offset: Origin(SOURCE, Mark(SOURCES[offset] or 0, 0)) for offset in present}
    batch = _read(Deduplicator.of(Landed(-1, origins, {})), LOG, size)
    assert [record.offset for record, _ in batch.rows] == [offset for offset in FIRST if offset not in present]
    assert [record.offset for record, _ in batch.refused] == [3]
    assert (batch.ends, batch.marks) == ({EXAMPLES: len(LOG) - 1}, {EXAMPLES: {SOURCE: Mark(6, 0)}})


def test_a_record_that_is_delivered_twice_is_taken_once() -> None:
    """Also where both stand in one read."""
    batch = _read(Deduplicator(), [LOG[0], LOG[1], LOG[1], LOG[0], LOG[2]], 5)
    assert [record.offset for record, _ in batch.rows] == [0, 1, 2]
