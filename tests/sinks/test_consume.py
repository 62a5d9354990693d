"""The sink's loop against librdkafka's own broker for tests: how it ends while ClickHouse is away."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import pytest
from structlog.testing import capture_logs

from sinks import consume
from sinks.errors import Temporary
from sinks.memory import MemoryDeadLetters, MemoryStore
from sinks.metrics import RecordedMetrics
from sinks.settings import SinkSettings
from sinks.signals import Signals
from sinks.values import Block, Partition
from tests.sinks.made import FrozenStore
from tests.sinks.mock_broker import mock_broker, send
from tests.streams.log import eventually

RECORDS = 20
DEADLINE_S = 60.0


class _Away(MemoryStore):
    """A store that stops answering: at once, or when the first block comes."""

    def __init__(self, signals: Signals, *, at_once: bool) -> None:
        super().__init__()
        self._signals = signals
        self._at_once = at_once

    def take_leases(self, partitions: Sequence[Partition]) -> dict[Partition, str]:
        """Asks for the stop where it is away from the start."""
        if not self._at_once:
            return super().take_leases(partitions)
        self._signals.stop.set()
        raise Temporary("no answer")

    def insert(self, block: Block) -> None:
        """Asks for the stop while this block's outcome is unknown."""
        self._signals.stop.set()
        raise Temporary("no answer", table=block.table.name)


class _StandsStill(MemoryStore):
    """A store that answers an insert when it is told to, and asks for a stop meanwhile."""

    def __init__(self, signals: Signals) -> None:
        super().__init__()
        self._signals = signals
        self.goes_on = threading.Event()
        self.seen: set[str] = set()

    def insert(self, block: Block) -> None:
        """Lands the block late."""
        self._signals.stop.set()
        self.seen = set(self._signals.inserting)
        self.goes_on.wait(DEADLINE_S)
        super().insert(block)


@pytest.fixture(name="servers")
def _servers() -> Iterator[str]:
    """The address of a broker with records."""
    with mock_broker(RECORDS) as servers:
        yield servers


def _settings(servers: str, *, is_shared: bool) -> SinkSettings:
    return SinkSettings(
        servers, topics=("examples",), is_shared=is_shared, instance="one" if is_shared else None,
        max_rows=RECORDS, max_wait_s=DEADLINE_S, stop_within_s=0.5,
    )  # fmt: skip


@pytest.mark.parametrize("is_shared", [True, False])
def test_a_stop_does_not_wait_for_an_insert_that_stands_still(servers: str, is_shared: bool) -> None:
    """The loop ends without its answer and says how many it left; what lands later lands by itself."""
    signals = Signals()
    store = _StandsStill(signals)
    try:
        settings = _settings(servers, is_shared=is_shared)
        assert consume.run(settings, store, MemoryDeadLetters(), b"key", signals) == 1
        assert store.rows("examples") == []
        assert (store.seen, signals.inserting) == ({"examples"}, {})
    finally:
        store.goes_on.set()


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("is_shared", [True, False])
def test_a_stop_while_clickhouse_is_away_is_a_clean_end(servers: str, is_shared: bool, at_once: bool) -> None:
    """Nothing is landed nor raised; what had been read is counted, and is read again after the next start."""
    settings = _settings(servers, is_shared=is_shared)
    signals = Signals()
    store = _Away(signals, at_once=at_once)
    too_late = threading.Timer(DEADLINE_S, signals.stop.set)
    too_late.start()
    with capture_logs() as events:
        assert consume.run(settings, store, MemoryDeadLetters(), b"key", signals) == 0
    too_late.cancel()
    assert store.rows("examples") == []
    told = {event["event"]: event for event in events}
    assert (
        told["sink_stopped_waiting"]["why"] == "no answer" if at_once else told["sink_stopped"]["unlanded"] == RECORDS
    )


def test_lag_and_freshness_grow_while_no_block_lands(servers: str) -> None:
    """The first block stands still, the next fills the buffer, what follows is not fetched: each record counts."""
    store, metrics = FrozenStore(), RecordedMetrics()
    signals = Signals(metrics=metrics)
    settings = replace(_settings(servers, is_shared=False), max_rows=2, max_wait_s=0.1)
    loop = threading.Thread(target=consume.run, args=(settings, store, MemoryDeadLetters(), b"key", signals))
    loop.start()
    try:
        freshness_s = [0.0]
        for sent in (1, 2, 3):
            eventually(partial(_shows_lag, metrics, sent * RECORDS), DEADLINE_S, f"a lag of {sent} times {RECORDS}")
            freshness_s.append(metrics.values["freshness_seconds", "examples", 0])
            send(servers, range(sent * RECORDS, (sent + 1) * RECORDS))
        assert freshness_s == sorted(set(freshness_s))
        store.goes_on.set()
        eventually(partial(_shows_lag, metrics, 0), DEADLINE_S, "no lag")
    finally:
        store.goes_on.set()
        signals.stop.set()
        loop.join()


def _shows_lag(metrics: RecordedMetrics, lag: int) -> bool:
    return metrics.values.get(("lag_records", "examples", 0)) == lag
