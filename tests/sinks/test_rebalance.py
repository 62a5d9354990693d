"""What a rebalance does to a member that shares, against librdkafka's own broker for tests."""

from __future__ import annotations

import multiprocessing
import threading
from functools import partial

from confluent_kafka import Consumer

from sinks import consume
from sinks.memory import MemoryDeadLetters, MemoryStore
from sinks.metrics import RecordedMetrics
from sinks.settings import SinkSettings
from sinks.signals import Signals
from tests.sinks.made import FrozenStore
from tests.sinks.mock_broker import mock_broker, send
from tests.streams.log import eventually

PARTITIONS = 4
RECORDS = 80
SESSION_MS = 3_000
"""Short: librdkafka's broker waits nearly so long for all members at each rebalance."""
DEADLINE_S = 60.0


def _settings(servers: str, **kafka: str) -> SinkSettings:
    return SinkSettings(
        servers, topics=("examples",), is_shared=True, instance=None,
        max_rows=2, max_wait_s=0.1, stop_within_s=1.0, session_timeout_ms=SESSION_MS, kafka=kafka,
    )  # fmt: skip


def _joins(servers: str, ends: threading.Event) -> None:
    """A member that takes partitions, lands nothing, and leaves when it is told to."""
    where = {"bootstrap.servers": servers, "group.id": _settings(servers).group, "log_level": 0}
    member = Consumer({**where, "session.timeout.ms": SESSION_MS, "heartbeat.interval.ms": SESSION_MS // 4})
    member.subscribe(["examples"])
    while not ends.is_set():
        member.consume(100, 0.1)
    member.close()


def test_what_was_paused_is_read_again_after_a_rebalance() -> None:
    """Back-pressure has paused the topic when another member comes and goes: the one that stays lands everything."""
    store, metrics, left = FrozenStore(), RecordedMetrics(), threading.Event()
    signals = Signals(metrics=metrics)
    with mock_broker(RECORDS, PARTITIONS) as servers:
        arguments = (_settings(servers), store, MemoryDeadLetters(), b"key", signals)
        threads = [
            threading.Thread(target=consume.run, args=arguments),
            threading.Thread(target=_joins, args=(servers, left)),
        ]
        try:
            threads[0].start()
            eventually(lambda: _lag(metrics) == RECORDS, DEADLINE_S, "records that were read")
            send(servers, range(RECORDS, 2 * RECORDS), PARTITIONS)
            # What comes now is seen of a paused partition alone: nothing is fetched, the broker is asked.
            eventually(lambda: _lag(metrics) == 2 * RECORDS, DEADLINE_S, "records that are not fetched")
            threads[1].start()
            eventually(lambda: not signals.ready.is_set(), DEADLINE_S, "a rebalance")
            store.goes_on.set()
            eventually(signals.ready.is_set, DEADLINE_S, "a share")
            left.set()
            eventually(partial(_has_all, store), DEADLINE_S, "all rows")
        finally:
            for event in (store.goes_on, left, signals.stop):
                event.set()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
    assert sorted(row["src_offset"] for row in store.rows("examples")) == list(range(2 * RECORDS))


def _lag(metrics: RecordedMetrics) -> float:
    return sum(metrics.values.get(("lag_records", "examples", number), 0) for number in range(PARTITIONS))


def _has_all(store: MemoryStore) -> bool:
    return len(store.rows("examples")) >= 2 * RECORDS


def _land(servers: str) -> None:
    """A sink that lands all there is, and ends; librdkafka calls back for each log line meanwhile."""
    store, stop = MemoryStore(), threading.Event()

    def stop_when_landed() -> None:
        if len(store.rows("examples")) >= RECORDS:
            stop.set()

    signals = Signals(stop=stop, beat=stop_when_landed)
    consume.run(_settings(servers, debug="cgrp,broker"), store, MemoryDeadLetters(), b"key", signals)


def test_an_assignment_among_other_callbacks_does_not_abort_the_process() -> None:
    """One `consume` serves an assignment and log lines after it: what the first asks of Kafka disturbs no later one."""
    with mock_broker(RECORDS, PARTITIONS) as servers:
        process = multiprocessing.get_context("spawn").Process(target=_land, args=(servers,))
        process.start()
        process.join(DEADLINE_S)
        process.kill()
        process.join()
    assert process.exitcode == 0
