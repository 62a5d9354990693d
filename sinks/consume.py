"""The sink process: every topic into its table, exactly once, whatever is killed when.

One loop reads, decodes and drops what has landed; `flights` inserts due blocks in threads while the loop keeps polling.
Where to read on is what the store says, never what Kafka remembers. Anything unexpected stops the process: the next
start recovers from the table.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import structlog

from sinks.buffer import Batch
from sinks.decode_columns import DecodeMany, bulk_decoders
from sinks.deduplicate import Deduplicator
from sinks.errors import BrokerUnavailable, Temporary
from sinks.fill import fill
from sinks.flights import Flights
from sinks.held import Held, Ledger
from sinks.reader import Reader
from sinks.settings import SinkSettings
from sinks.signals import Signals
from sinks.tables import by_topic
from sinks.values import Arrived, DeadLetters, Partition, Store
from sinks.write import Writer

log = structlog.get_logger()

T = TypeVar("T")

READ_WAIT_S = 0.05
MEASURE_EVERY_S = 1.0
BUFFERED_BLOCKS = 2
"""How many blocks of one topic may wait before its partitions are paused."""


class ClusterChanged(Exception):  # noqa: N818 - a turn of events, not a failure
    """Another broker cluster answers by now: its offsets begin again."""


def tune_collector() -> None:
    """For a process that is a sink: rows die by reference count; to look for cycles among them took half the time."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def run(settings: SinkSettings, store: Store, dead_letters: DeadLetters, customer_key: bytes, signals: Signals) -> int:
    """Land topics until told to stop; then land what has been read, write the ledger and leave the group.

    Returns how many inserts were left without an answer, in threads that end when it comes or fails to: mostly 0. What
    such an insert still lands is safe: the next sink fences it by its lease, or waits for it and reads it back.

    Raises:
        LeaseLost, Misconfigured: this process must not or cannot write.
        TooManyRejected: nearly everything is refused.
        BrokerUnavailable: Kafka is not there, or threw this member out.
    """
    decode = bulk_decoders(customer_key)
    unanswered = 0
    while not signals.stop.is_set():
        session = Session(settings, store, dead_letters, decode, signals)
        try:
            unanswered = session.run()
        except ClusterChanged as change:
            signals.ready.clear()
            log.warning("broker_cluster_changed", detail=str(change))
        except Temporary as error:
            if not signals.stop.is_set():
                raise
            log.warning("sink_stopped_waiting", why=str(error), help="what had not landed is read again")
    return unanswered


class Session:
    """One membership in the group, on one broker cluster."""

    def __init__(
        self,
        settings: SinkSettings,
        store: Store,
        dead_letters: DeadLetters,
        decode: Mapping[str, DecodeMany],
        signals: Signals,
    ) -> None:
        self._signals = signals
        self._settings = settings
        self._store = store
        self._decode = decode
        self._starter = Writer(store, dead_letters, signals.stop)
        self._held: dict[Partition, Held] = {}
        self._buffers: dict[str, Batch] = {}
        self._flights = Flights(store, dead_letters, settings.limits, signals)
        self._ledger = Ledger(store, settings.mark_every_s)
        self._measured_s = 0.0
        self._reader = Reader(settings, self)

    def run(self) -> int:
        """Read and land until told to stop; returns and raises as `consume.run`, and raises ClusterChanged."""
        log.info("sink_started", cluster=self._reader.cluster, topics=list(self._settings.topics))
        try:
            self._reader.open()
            while not self._signals.stop.is_set():
                self.turn()
            self._finish()
        finally:
            unanswered = self._flights.give_up()
            self._reader.close()
        return unanswered

    def turn(self) -> None:
        """Read once, land what is due, write the ledger and the figures when it is time."""
        self._signals.beat()
        self._take(self._reader.read(READ_WAIT_S))
        self._collect()
        self._launch([topic for topic, batch in self._buffers.items() if self._is_due(batch)])
        self._balance()
        if self._ledger.is_due():
            self._ledger.tell(self._held)
        if time.monotonic() - self._measured_s > MEASURE_EVERY_S:
            self._measure()

    def assigned(self, partitions: list[Partition]) -> Mapping[Partition, int]:
        """Take the leases, ask the store what has landed, read on from there."""
        cluster = self._reader_cluster()
        if partitions and partitions[0].cluster != cluster:
            raise ClusterChanged(f"{partitions[0].cluster} is now {cluster}")
        leases = self._patiently(lambda: self._store.take_leases(partitions)) if partitions else {}
        self._held = {partition: self._recover(partition, lease) for partition, lease in leases.items()}
        starts = {partition: held.last + 1 for partition, held in self._held.items()}
        self._signals.ready.set()
        log.info("partitions_assigned", partitions=len(partitions), cluster=cluster)
        return starts

    def revoked(self, partitions: list[Partition]) -> None:
        """Let running inserts end, unless a stop comes first; keep their progress, forget what was only read."""
        self._signals.ready.clear()
        self._flights.wait()
        self._collect()
        self._ledger.tell(self._held)
        for batch in self._buffers.values():
            batch.drop(set(partitions))
        for partition in partitions:
            self._held.pop(partition, None)
            self._signals.metrics.forget(topic=partition.topic, partition=partition.number)

    def _reader_cluster(self) -> str:
        return self._patiently(lambda: _known(self._reader.cluster_asked_apart()))

    def _recover(self, partition: Partition, lease: str) -> Held:
        table = by_topic()[partition.topic]
        landed = self._patiently(lambda: self._store.landed(table, partition))
        return Held(Deduplicator.of(landed), landed.last, lease)

    def _patiently(self, operation: Callable[[], T]) -> T:
        """What an assignment needs, however long it takes; each try shows that this process lives."""

        def tried() -> T:
            self._signals.beat()
            return operation()

        return self._starter.patiently(tried)

    def _take(self, arrived: Sequence[Arrived]) -> None:
        topics: dict[str, list[Arrived]] = {}
        for record in arrived:
            if record.partition in self._held:
                topics.setdefault(record.partition.topic, []).append(record)
        deduplicators = {partition: held.deduplicator for partition, held in self._held.items()}
        for topic, records in topics.items():
            fill(self._buffer(topic), records, deduplicators, self._decode[topic])

    def _buffer(self, topic: str) -> Batch:
        batch = self._buffers.get(topic)
        if batch is None:
            batch = self._buffers[topic] = Batch(by_topic()[topic], since_s=time.monotonic())
        return batch

    def _is_due(self, batch: Batch) -> bool:
        settings = self._settings
        is_full = len(batch.rows) >= settings.max_rows or batch.bytes >= settings.max_bytes
        return is_full or time.monotonic() - batch.since_s >= settings.max_wait_s

    def _launch(self, topics: Sequence[str]) -> bool:
        """Insert what is buffered of these, once it is sure which cluster it came from; False where none answers."""
        for topic in topics:
            if topic in self._flights:
                continue
            now = self._reader.cluster_now()
            if now is None:
                return False
            if now != self._reader.cluster:
                raise ClusterChanged(f"{self._reader.cluster} is now {now}")
            leases = {partition: held.lease for partition, held in self._held.items()}
            self._flights.start(self._buffers.pop(topic), leases)
        return True

    def _collect(self) -> None:
        """Note what the finished inserts have landed; their failures surface here."""
        for batch, rows in self._flights.landed():
            self._note(batch, rows)
            log.debug("batch_landed", topic=batch.table.topic, rows=rows, refused=len(batch.refused))

    def _note(self, batch: Batch, rows: int) -> None:
        for partition, offset in batch.ends.items():
            if held := self._held.get(partition):
                held.last, held.is_marked = offset, False
                held.marks.update(batch.marks.get(partition, {}))
        self._reader.commit(batch.ends)
        self._count(batch, rows)

    def _count(self, batch: Batch, rows: int) -> None:
        metrics, topic, records = self._signals.metrics, batch.table.topic, sum(batch.records.values())
        metrics.add("records_read", records, topic=topic)
        metrics.add("records_repeated", records - rows - len(batch.refused), topic=topic)
        metrics.add("records_rejected", len(batch.refused), topic=topic)
        metrics.add("rows_landed", rows, topic=topic)
        now_s = time.time()
        for partition, oldest_us in batch.oldest_us.items():
            if held := self._held.get(partition):
                held.freshness_s = now_s - oldest_us / 1e6

    def _measure(self) -> None:
        """Show each partition's lag and freshness, which grow while no block lands."""
        self._measured_s = time.monotonic()
        metrics, now_s, waits = self._signals.metrics, time.time(), self._waits_since_us()
        for partition, held in self._held.items():
            if (end := self._reader.end(partition)) is not None:
                lag = max(0, end - held.last - 1)
                metrics.set("lag_records", lag, topic=partition.topic, partition=partition.number)
            waits_s = now_s - waits[partition] / 1e6 if partition in waits else None
            ages_s = [age_s for age_s in (held.freshness_s, waits_s) if age_s is not None]
            if ages_s:
                metrics.set("freshness_seconds", max(ages_s), topic=partition.topic, partition=partition.number)

    def _waits_since_us(self) -> dict[Partition, int]:
        """Kafka timestamp of the first record of each partition that was read and has not landed."""
        batches = [*self._flights.batches(), *self._buffers.values()]
        return {p: oldest_us for batch in reversed(batches) for p, oldest_us in batch.oldest_us.items()}

    def _balance(self) -> None:
        """Back-pressure: stop fetching a topic whose buffer is full, fetch again when it is not."""
        limit = BUFFERED_BLOCKS * self._settings.max_bytes
        rows = BUFFERED_BLOCKS * self._settings.max_rows
        full = {topic for topic, batch in self._buffers.items() if batch.bytes > limit or len(batch.rows) > rows}
        self._reader.pause_only(full)

    def _finish(self) -> None:
        """Land what has been read, as far as `stop_within_s` allows; the rest is read again after the next start."""
        deadline = time.monotonic() + self._settings.stop_within_s
        answers = True
        while (self._flights or (self._buffers and answers)) and time.monotonic() < deadline:
            self._collect()
            answers = answers and self._launch(list(self._buffers))
            time.sleep(0.005)
        if not self._flights:
            self._ledger.tell(self._held)
        batches = [*self._buffers.values(), *self._flights.batches()]
        log.info("sink_stopped", unlanded=sum(len(batch.rows) for batch in batches))


def _known(cluster: str | None) -> str:
    if cluster is None:
        raise BrokerUnavailable("no Kafka answers")
    return cluster
