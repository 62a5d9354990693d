"""One contract for every store that the sink lands in: ClickHouse and its in-memory twin."""

from __future__ import annotations

from dataclasses import replace
from threading import Event
from typing import Protocol

import pytest

from sinks.buffer import Batch
from sinks.clickhouse.client import connect
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.settings import TableSettings
from sinks.clickhouse.store import ClickHouseStore
from sinks.decode import decoders
from sinks.errors import LeaseLost, Misconfigured, Rejected
from sinks.memory import MemoryDeadLetters, MemoryStore
from sinks.tables import table
from sinks.values import Block, Landed, Mark, Origin, Partition, Progress, Row, Source, Store
from sinks.write import Writer, block_of
from tests.sinks.made import EXAMPLES, arrived, example

TABLE = table("examples")
DECODE = decoders(b"key")["examples"]
SOURCE = Source("root-1", "conversation.events", 0)


class MakeStore(Protocol):
    """Makes a store of a holder, for the topics of a prefix."""

    def __call__(self, holder: str, topic_prefix: str = "") -> Store:
        """The store."""


@pytest.fixture(name="make", params=["memory", "clickhouse"])
def _make(request: pytest.FixtureRequest) -> MakeStore:
    """Makes stores under different holder names over the same, empty tables."""
    if request.param == "memory":
        shared = MemoryStore()
        return lambda holder, topic_prefix="": replace(shared, holder=holder, topic_prefix=topic_prefix)
    stack, database = request.getfixturevalue("stack"), request.getfixturevalue("database")
    client = connect(stack.clickhouse_url, database)
    migrate(client, TableSettings(database=database))
    return lambda holder, topic_prefix="": ClickHouseStore(client, holder, topic_prefix)


def _batch(*offsets: int, attempt: int = 0) -> Batch:
    batch = Batch(TABLE)
    for offset in offsets:
        record = arrived(example(offset, attempt=attempt), offset)
        row = DECODE(record)
        assert isinstance(row, Row)
        batch.add(record, row)
    return batch


def _origin(offset: int) -> Origin:
    return Origin(SOURCE, Mark(offset, 0))


def _block(leases: dict[Partition, str], *offsets: int) -> Block:
    return block_of(TABLE, _batch(*offsets).rows, leases, 1_700_000_000_000_000)


def test_an_empty_store_holds_nothing(make: MakeStore) -> None:
    """A partition that nobody has written begins at offset 0."""
    assert make("a").landed(TABLE, EXAMPLES) == Landed()


def test_rows_above_the_mark_are_read_back(make: MakeStore) -> None:
    """After a crash without a ledger entry the table itself says what has landed."""
    store = make("a")
    store.insert(_block(store.take_leases([EXAMPLES]), 0, 1, 4))
    assert store.landed(TABLE, EXAMPLES) == Landed(-1, {n: _origin(n) for n in (0, 1, 4)}, {})


def test_the_ledger_moves_the_mark(make: MakeStore) -> None:
    """Below the mark nothing needs to be read back, and the sources' marks survive; older news change nothing."""
    store = make("a")
    leases = store.take_leases([EXAMPLES])
    store.insert(_block(leases, 0, 1, 2))
    store.record([Progress(EXAMPLES, 1, {SOURCE: Mark(1, 0)}, leases[EXAMPLES])])
    store.record([Progress(EXAMPLES, 0, {SOURCE: Mark(0, 0)}, leases[EXAMPLES])])
    assert store.landed(TABLE, EXAMPLES) == Landed(1, {2: _origin(2)}, {SOURCE: Mark(1, 0)})


def test_the_same_block_lands_once(make: MakeStore) -> None:
    """A retry after an unknown outcome doubles nothing."""
    store = make("a")
    block = _block(store.take_leases([EXAMPLES]), 0, 1)
    store.insert(block)
    store.insert(block)
    assert store.existing(TABLE, [("root-1", "conversation.events", 0, n, 0) for n in range(3)]) == {
        ("root-1", "conversation.events", 0, n, 0) for n in range(2)
    }
    assert len(store.landed(TABLE, EXAMPLES).present) == 2


def test_topics_of_a_second_prefix_are_refused(make: MakeStore) -> None:
    """Their records would pass for those that landed at the same places; another cluster has places of its own."""
    first, second = make("a"), make("b", "acme.")
    first.take_leases([EXAMPLES])
    second.take_leases([EXAMPLES._replace(cluster="other")])
    with pytest.raises(Misconfigured, match=r"holds topic 'examples' of cluster .*cannot take 'acme.examples' too"):
        second.take_leases([EXAMPLES])
    first.take_leases([EXAMPLES])


def test_a_superseded_lease_lands_nothing(make: MakeStore) -> None:
    """A zombie that wakes up after another sink took over is refused by the store itself."""
    zombie, heir = make("zombie"), make("heir")
    old = zombie.take_leases([EXAMPLES])
    heir.insert(_block(heir.take_leases([EXAMPLES]), 0))
    with pytest.raises(LeaseLost):
        zombie.insert(_block(old, 1))
    assert heir.landed(TABLE, EXAMPLES).present.keys() == {0}


def test_a_superseded_or_unknown_lease_moves_no_mark(make: MakeStore) -> None:
    """The ledger is fenced as rows are: a partition that is still ours stays where it is along with a lost one."""
    zombie, heir, other = make("zombie"), make("heir"), EXAMPLES._replace(number=1)
    old = zombie.take_leases([EXAMPLES, other])
    heir.take_leases([EXAMPLES])
    for lost in (Progress(EXAMPLES, 7, {SOURCE: Mark(7, 0)}, old[EXAMPLES]), Progress(EXAMPLES, 7, {}, "none")):
        with pytest.raises(LeaseLost):
            zombie.record([Progress(other, 5, {SOURCE: Mark(5, 0)}, old[other]), lost])
    assert heir.landed(TABLE, EXAMPLES) == Landed()
    assert heir.landed(TABLE, other).last == -1
    zombie.record([Progress(other, 5, {SOURCE: Mark(5, 0)}, old[other])])
    assert heir.landed(TABLE, other) == Landed(5, {}, {SOURCE: Mark(5, 0)})


def test_a_mark_without_a_lease_is_taken(make: MakeStore) -> None:
    """Sinks of before the fence keep their ledger while a fleet is rolled."""
    store = make("a")
    store.record([Progress(EXAMPLES, 7, {SOURCE: Mark(7, 0)}, "")])
    assert store.landed(TABLE, EXAMPLES) == Landed(7, {}, {SOURCE: Mark(7, 0)})


def test_a_bad_row_is_refused_with_its_whole_block(make: MakeStore) -> None:
    """A block lands whole or not at all."""
    store = make("a")
    block = _block(store.take_leases([EXAMPLES]), 0, 1)
    broken = replace(block, columns=((None, "fine"), *block.columns[1:]))
    with pytest.raises(Rejected):
        store.insert(broken)
    assert not store.landed(TABLE, EXAMPLES).present


def test_bisecting_lands_all_but_the_bad_row(make: MakeStore) -> None:
    """One bad row among many becomes a dead letter; every other row lands once."""
    store, letters = make("a"), MemoryDeadLetters()
    leases = store.take_leases([EXAMPLES])
    batch = _batch(*range(20))
    record, row = batch.rows[7]
    batch.rows[7] = (record, row._replace(values=(None, *row.values[1:])))
    Writer(store, letters, Event()).write(batch, leases)
    assert store.landed(TABLE, EXAMPLES).present.keys() == set(range(20)) - {7}
    assert [(letter.offset, letter.stage, letter.reason) for letter in letters.letters] == [(7, "sink", "rejected")]
    assert letters.letters[0].value == record.value


def test_a_replayed_record_lands_once_by_its_key(make: MakeStore) -> None:
    """A repaired record lands below the mark, and a second replay of it changes nothing."""
    store = make("a")
    leases = store.take_leases([EXAMPLES])
    writer = Writer(store, MemoryDeadLetters(), Event())
    assert writer.write(_batch(5), leases) == 1
    assert writer.write(_batch(3, attempt=1), leases) == 1
    assert writer.write(_batch(3, attempt=2), leases) == 0
    assert writer.write(_batch(5, attempt=1), leases) == 0


def test_what_is_missing_of_a_block_is_told_row_by_row(make: MakeStore) -> None:
    """After an unknown outcome the table says which rows of the block it holds; other partitions do not count."""
    store = make("a")
    leases = store.take_leases([EXAMPLES])
    store.insert(_block(leases, 1, 2, 5))
    assert store.missing(_block(leases, *range(7))) == [0, 3, 4, 6]
    other = EXAMPLES._replace(number=1)
    elsewhere = block_of(
        TABLE, [(record._replace(partition=other), row) for record, row in _batch(1).rows], {other: "x"}, 0
    )
    assert store.missing(elsewhere) == [0]


def test_sources_of_a_dead_cluster_keep_their_marks(make: MakeStore) -> None:
    """A file imported into a broker that died with its ledger unwritten is known when it is imported again."""
    store = make("a")
    leases = store.take_leases([EXAMPLES])
    store.insert(_block(leases, 0, 3))
    reborn = EXAMPLES._replace(cluster="cluster-2")
    assert store.landed(TABLE, reborn) == Landed(-1, {}, {SOURCE: Mark(3, 0)})
    store.record([Progress(EXAMPLES, 3, {SOURCE: Mark(3, 0)}, leases[EXAMPLES])])
    assert store.landed(TABLE, reborn) == Landed(-1, {}, {SOURCE: Mark(3, 0)})
