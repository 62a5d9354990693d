"""One contract for every store that the trainer reads examples from: ClickHouse and its in-memory twin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from threading import Event

import pytest

from schemas.records import Example, Split
from sinks.buffer import Batch
from sinks.clickhouse.client import connect
from sinks.clickhouse.examples import ClickHouseExamples
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.settings import TableSettings
from sinks.clickhouse.store import ClickHouseStore
from sinks.decode import decoders
from sinks.memory import MemoryDeadLetters, MemoryExamples
from sinks.tables import table
from sinks.values import Row
from sinks.write import Writer
from tests.sinks.made import EXAMPLES, arrived, example

Store = ClickHouseExamples | MemoryExamples
Land = Callable[[Example], None]
TRAIN: tuple[Split, ...] = ("train",)


@pytest.fixture(name="pair", params=["memory", "clickhouse"])
def _pair(request: pytest.FixtureRequest) -> tuple[Store, Land]:
    """A store, and how an example lands in it at the next microsecond."""
    clock = count(1_000_000)
    if request.param == "memory":
        memory = MemoryExamples()
        return memory, lambda example: memory.add(example, next(clock))
    stack, database = request.getfixturevalue("stack"), request.getfixturevalue("database")
    client = connect(stack.clickhouse_url, database)
    migrate(client, TableSettings(database=database))
    store = ClickHouseStore(client)
    leases = store.take_leases([EXAMPLES])
    writer = Writer(store, MemoryDeadLetters(), Event(), lambda: next(clock))
    offsets = count()

    def land(one: Example) -> None:
        record = arrived(one, next(offsets))
        row = decoders(b"key")["examples"](record)
        assert isinstance(row, Row)
        batch = Batch(table("examples"))
        batch.add(record, row)
        writer.write(batch, leases)

    return ClickHouseExamples(client), land


def _all(store: Store, after: str | None = None) -> list[Example]:
    return list(store.examples("intent", "shop", splits=TRAIN, admitted_only=True, after=after))


def test_an_example_comes_back_as_it_was(pair: tuple[Store, Land]) -> None:
    """Every field survives the table, nulls and JSON included."""
    store, land = pair
    land(example(3))
    assert _all(store) == [example(3)]


def test_only_the_newest_revision_counts(pair: tuple[Store, Land]) -> None:
    """Examples of a superseded revision disappear, whichever landed last."""
    store, land = pair
    land(example(1, revision=2))
    land(example(1, revision=1))
    assert [e.revision for e in _all(store)] == [2]


def test_a_label_outlives_its_conversations_revisions(pair: tuple[Store, Land]) -> None:
    """What a person labelled stays, whatever late events make of the conversation that it is about."""
    store, land = pair
    land(replace(example(1, revision=1), origin="labelled", example_id="by-hand"))
    land(example(1, revision=2))
    assert sorted((e.origin, e.revision) for e in _all(store)) == [("labelled", 1), ("production", 2)]


def test_an_example_that_landed_twice_counts_once(pair: tuple[Store, Land]) -> None:
    """A re-delivery by another log doubles nothing that is trained on."""
    store, land = pair
    land(example(1))
    land(example(1))
    assert len(_all(store)) == 1


def test_a_watermark_parts_old_from_fresh(pair: tuple[Store, Land]) -> None:
    """What landed before it is not fresh, what lands after it is, with the time of the first."""
    store, land = pair
    before_all = store.watermark()
    land(example(1))
    mark = store.watermark()
    assert (store.freshness("intent", "shop", mark).count, store.freshness("intent", "shop", mark).oldest_us) == (
        0,
        None,
    )
    land(example(2))
    land(example(3))
    fresh = store.freshness("intent", "shop", mark)
    assert (fresh.count, fresh.oldest_us) == (2, 1_000_001)
    assert [e.conversation_id for e in _all(store, mark)] == ["conversation-2", "conversation-3"]
    assert store.freshness("intent", "shop", before_all).count == 3
    assert store.freshness("intent", "shop", None).count == 3


def test_the_benchmark_is_apart(pair: tuple[Store, Land]) -> None:
    """Ground truth is neither training data nor fresh; another label set holds nothing."""
    store, land = pair
    land(example(1, split="benchmark"))
    assert [e.split for e in store.benchmark("intent", "shop")] == ["benchmark"]
    assert not _all(store)
    assert store.freshness("intent", "shop", None).count == 0
    assert not store.benchmark("intent", "banking77")
