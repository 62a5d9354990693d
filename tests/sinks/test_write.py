"""Unknown outcomes are repeated with the same block; what lands nowhere is a dead letter first."""

from dataclasses import dataclass, field
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ceiling import Limits
from sinks.buffer import Batch, letter_of
from sinks.decode import decoders
from sinks.errors import Temporary, TooManyRejected
from sinks.memory import MemoryDeadLetters, MemoryStore
from sinks.tables import table
from sinks.values import Block, Refused, Row
from sinks.write import Writer, block_of
from tests.sinks.made import EXAMPLES, arrived, batch_of, example

TABLE = table("examples")


class Forgetful(set[str]):
    """A window of tokens that is always too short."""

    def add(self, _: str) -> None:
        """Forget it at once."""


@dataclass(slots=True)
class Flaky(MemoryStore):
    """Loses its answers: some before the block landed, then some after; remembers what was sent."""

    lost_requests: int = 0
    lost_answers: int = 0
    seen: list[str] = field(default_factory=list)

    def insert(self, block: Block) -> None:
        """Fail, or land and then fail."""
        self.seen.append(block.token)
        if self.lost_requests:
            self.lost_requests -= 1
            raise Temporary("no answer", table=block.table.name)
        MemoryStore.insert(self, block)
        if self.lost_answers:
            self.lost_answers -= 1
            raise Temporary("no answer", table=block.table.name)


def test_a_lost_request_is_sent_again_under_the_same_token() -> None:
    """While nothing is there the same block goes out again: a first one still under way is known by its token."""
    store = Flaky(lost_requests=2)
    Writer(store, MemoryDeadLetters(), Event()).write(batch_of(3), store.take_leases([EXAMPLES]))
    assert (len(store.rows("examples")), len(store.seen), len(set(store.seen))) == (3, 3, 1)


def test_a_lost_answer_is_looked_up_in_the_table() -> None:
    """Test 11: a block that has landed is not sent again, even where the store has forgotten its token."""
    store = Flaky(lost_answers=1)
    store.tokens = Forgetful()
    Writer(store, MemoryDeadLetters(), Event()).write(batch_of(3), store.take_leases([EXAMPLES]))
    assert (len(store.rows("examples")), len(store.seen)) == (3, 1)


def test_a_block_that_landed_in_part_is_completed() -> None:
    """Test 3: what is missing after an unknown outcome lands under another token; a token names one set of rows."""
    store = Flaky(lost_requests=1)
    leases = store.take_leases([EXAMPLES])
    block = block_of(TABLE, batch_of(6).rows, leases, 0)
    MemoryStore.insert(store, block.of([1, 4, 5]))
    Writer(store, MemoryDeadLetters(), Event()).land(block)
    assert sorted(row["_offset"] for row in store.rows("examples")) == [0, 1, 2, 3, 4, 5]
    assert len(set(store.seen)) == 2


def test_bisecting_after_an_unknown_outcome_doubles_nothing() -> None:
    """Rows that an open first try had landed are not sent again by the halves."""
    store, letters = Flaky(lost_requests=1), MemoryDeadLetters()
    batch = batch_of(8)
    record, row = batch.rows[3]
    batch.rows[3] = (record, row._replace(values=(None, *row.values[1:])))
    leases = store.take_leases([EXAMPLES])
    MemoryStore.insert(store, block_of(TABLE, batch.rows, leases, 0).of([0, 5]))
    Writer(store, letters, Event()).write(batch, leases)
    assert sorted(row["_offset"] for row in store.rows("examples")) == [0, 1, 2, 4, 5, 6, 7]
    assert [letter.offset for letter in letters.letters] == [3]


@given(st.lists(st.sampled_from(["part", "of"]), max_size=12), st.integers(1, 30))
def test_two_blocks_never_share_a_token(steps: list[str], rows: int) -> None:
    """Test 12: however blocks are cut, completed and built again, each has a token of its own."""
    leases = {EXAMPLES: "lease"}
    blocks = [block_of(TABLE, batch_of(rows).rows, leases, 0), block_of(TABLE, batch_of(rows).rows, leases, 0)]
    for step in steps:
        newest = blocks[-1]
        blocks.append(newest.part(0, len(newest)) if step == "part" else newest.of(range(len(newest))))
    assert len({block.token for block in blocks}) == len(blocks)


def test_a_record_and_its_replay_in_one_batch_land_once() -> None:
    """The table cannot tell of rows that stand in the same block."""
    store = MemoryStore()
    batch = batch_of(2)
    record = arrived(example(1, attempt=1), 7)
    row = decoders(b"key")["examples"](record)
    assert isinstance(row, Row)
    batch.add(record, row)
    assert Writer(store, MemoryDeadLetters(), Event()).write(batch, store.take_leases([EXAMPLES])) == 2


def test_giving_up_leaves_the_outcome_open() -> None:
    """A stop during an unknown outcome raises: nothing may count as landed or lost."""
    store, stop = Flaky(lost_answers=10**6), Event()
    stop.set()
    with pytest.raises(Temporary):
        Writer(store, MemoryDeadLetters(), stop).write(batch_of(1), store.take_leases([EXAMPLES]))


def test_two_batches_never_share_a_token() -> None:
    """A token that named other rows would drop them silently."""
    store = Flaky()
    leases = store.take_leases([EXAMPLES])
    writer = Writer(store, MemoryDeadLetters(), Event())
    writer.write(batch_of(2), leases)
    writer.write(batch_of(2), leases)
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
    batch = batch_of(2)
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
    complaint = r"examples refused the last 50 records in a row \(partition 0, offset 0: undecodable\).*dlq list"
    with pytest.raises(TooManyRejected, match=complaint):
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
