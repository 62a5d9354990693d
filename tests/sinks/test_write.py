"""Unknown outcomes are repeated with the same block; what lands nowhere is a dead letter first."""

from dataclasses import dataclass, field
from threading import Event

import pytest

from schemas.ceiling import Limits
from sinks.buffer import Batch, letter_of
from sinks.decode import decoders
from sinks.errors import Misconfigured, Temporary
from sinks.memory import MemoryDeadLetters, MemoryStore
from sinks.tables import table
from sinks.values import Block, Refused, Row
from sinks.write import Writer
from tests.sinks.made import EXAMPLES, arrived, example

TABLE = table("examples")


@dataclass(slots=True)
class Flaky(MemoryStore):
    """Lands a block and then loses its answer, some times in a row."""

    lost_answers: int = 0
    seen: list[str] = field(default_factory=list)

    def insert(self, block: Block) -> None:
        """Land, then fail."""
        self.seen.append(block.token)
        MemoryStore.insert(self, block)
        if self.lost_answers:
            self.lost_answers -= 1
            raise Temporary("no answer", table=block.table.name)


def _batch(count: int) -> Batch:
    batch = Batch(TABLE)
    for offset in range(count):
        record = arrived(example(offset), offset)
        row = decoders(b"key")["examples"](record)
        assert isinstance(row, Row)
        batch.add(record, row)
    return batch


def test_a_lost_answer_is_asked_for_again_under_the_same_token() -> None:
    """The block lands once although it is sent three times."""
    store = Flaky(lost_answers=2)
    Writer(store, MemoryDeadLetters(), Event()).write(_batch(3), store.take_leases([EXAMPLES]))
    assert (len(store.rows("examples")), len(store.seen), len(set(store.seen))) == (3, 3, 1)


def test_giving_up_leaves_the_outcome_open() -> None:
    """A stop during an unknown outcome raises: nothing may count as landed or lost."""
    store, stop = Flaky(lost_answers=10**6), Event()
    stop.set()
    with pytest.raises(Temporary):
        Writer(store, MemoryDeadLetters(), stop).write(_batch(1), store.take_leases([EXAMPLES]))


def test_two_batches_never_share_a_token() -> None:
    """A token that named other rows would drop them silently."""
    store = Flaky()
    leases = store.take_leases([EXAMPLES])
    writer = Writer(store, MemoryDeadLetters(), Event())
    writer.write(_batch(2), leases)
    writer.write(_batch(2), leases)
    assert len(set(store.seen)) == 2


def test_a_refused_record_is_written_whole() -> None:
    """Its dead letter has the original bytes and place, and the same id each time."""
    record = arrived(b"junk", 5)
    batch, letters = Batch(TABLE), MemoryDeadLetters()
    batch.refuse(record, Refused("undecodable", "no header"))
    store = MemoryStore()
    Writer(store, letters, Event()).write(batch, store.take_leases([EXAMPLES]))
    assert letters.letters == [letter_of(record, Refused("undecodable", "no header"))]
    assert (letters.letters[0].value, letters.letters[0].offset, letters.letters[0].stage) == (b"junk", 5, "sink")


def test_a_revoked_partition_leaves_the_batch() -> None:
    """What was read of a partition that another sink reads now is forgotten here."""
    batch = _batch(2)
    batch.refuse(arrived(b"junk", 5), Refused("undecodable", "no header"))
    batch.cover(arrived(b"junk", 5))
    batch.drop({EXAMPLES})
    assert (batch.rows, batch.refused, batch.ends, batch.marks, batch.records) == ([], [], {}, {}, {})


def _refusing(count: int, limits: Limits) -> tuple[MemoryStore, MemoryDeadLetters, Batch, Writer]:
    store, letters = MemoryStore(), MemoryDeadLetters()
    batch = Batch(TABLE)
    for offset in range(count):
        batch.refuse(arrived(b"junk", offset), Refused("undecodable", "no header"))
    return store, letters, batch, Writer(store, letters, Event(), limits=limits)


def test_a_sink_that_refuses_everything_stops_before_a_letter_is_written() -> None:
    """The run is counted over batches, and the complaint says what to do."""
    store, letters, batch, writer = _refusing(30, Limits(run=50))
    leases = store.take_leases([EXAMPLES])
    writer.write(batch, leases)
    with pytest.raises(Misconfigured, match=r"examples refused the last 50 records in a row.*dlq list"):
        writer.write(batch, leases)
    assert len(letters.letters) == 30


def test_good_rows_between_refused_ones_keep_the_sink_going() -> None:
    """Order by offset decides what is a run, not the order in which rows and refusals are kept."""
    store, letters = MemoryStore(), MemoryDeadLetters()
    leases = store.take_leases([EXAMPLES])
    batch = Batch(TABLE)
    for offset in range(0, 60, 2):
        record = arrived(example(offset), offset)
        row = decoders(b"key")["examples"](record)
        assert isinstance(row, Row)
        batch.add(record, row)
        batch.refuse(arrived(b"junk", offset + 1), Refused("undecodable", ""))
    Writer(store, letters, Event(), limits=Limits(run=10)).write(batch, leases)
    assert (len(store.rows("examples")), len(letters.letters)) == (30, 30)
