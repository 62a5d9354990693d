"""The consumer beneath the Faust agents: one event per chunk of a partition instead of one per record.

Faust's own hand-over costs several asyncio tasks a record and sleeps a second when a buffer is full; its commit rule
can pass an open record (see `commit`), and aiokafka does not seek a partition that was never committed. This subclass
mends the three, and nothing else: group membership, rebalance, streams and agents stay Faust's. Invariants: at most
`buffer_bytes` lie between broker and agent; records reach the agent in offset order without a hole; what is committed
is the watermark of acknowledged chunks.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, cast

import structlog
from aiokafka.errors import ConsumerStoppedError, IllegalStateError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from streams.chunk import Chunk, cut
from streams.commit import Watermark
from streams.errors import LogWentBack
from streams.metrics import Metrics, NoMetrics

log = structlog.get_logger()

IDLE_WAIT_S = 1.0
FETCH_WAIT_MS = 100
"""How long the broker may hold back the answer to a fetch when it has nothing: the embedded one answers when half of it
is over even if a record came just after the question, so that it bounds the freshness of every hop."""
CROWDED_WAIT_S = 0.05
"""How long a fetch may wait while another partition is full: it must not delay that one's next chunk."""


class _PromptThread(driver.AIOKafkaConsumerThread):
    """Faust's thread around aiokafka with a fetch that waits less."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001 - Faust fixes 1.5 s and has no setting
        return consumer


class ChunkConsumer(driver.Consumer):
    """Hands over chunks, bounded by bytes, and commits by watermark."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        transport = cast("ChunkTransport", self.transport)
        self.buffer_bytes = transport.buffer_bytes
        self.metrics = transport.metrics
        self._watermarks: dict[TP, Watermark] = defaultdict(Watermark)
        self._expected: dict[TP, int] = {}
        self._sought: dict[TP, int] = {}
        self._room = asyncio.Event()

    def _new_consumer_thread(self) -> Any:
        return _PromptThread(self, loop=self.loop, beacon=self.beacon)

    # -- what may be committed -----------------------------------------------------------------------------------------

    def ack(self, message: Any) -> bool:
        """The chunk's effects are durable; an acknowledgement from before a rebalance changes nothing."""
        if message.acked or message.generation_id != self.app.consumer_generation_id:
            return False
        message.acked = True
        self._unacked_messages.discard(message)
        moved = self._watermarks[message.tp].acknowledge(message.offset + 1)
        self._note_lag(message.tp, message.offset + 1)
        self._room.set()
        if self._waiting_for_ack is not None and not self._waiting_for_ack.done():
            self._waiting_for_ack.set_result(None)
        return moved

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return (tp for tp in self._watermarks if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        return self._watermarks[tp].position

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Let the chunks in work finish and commit them (Faust does), then forget all."""
        await super().on_partitions_revoked(revoked)
        for tp in revoked:
            self._watermarks.pop(tp, None)
            self._expected.pop(tp, None)
            self._sought.pop(tp, None)
            self.metrics.forget(topic=tp.topic, partition=tp.partition)

    async def perform_seek(self) -> None:
        """Go to the committed offsets; where there is none, or 0, to the first record (aiokafka would stay put)."""
        committed = await self.seek_to_committed()
        fresh = [tp for tp, offset in committed.items() if not offset]
        beginnings: Mapping[TP, int] = await self._thread.earliest_offsets(*fresh) if fresh else {}
        if beginnings:
            await self.seek_wait(beginnings)
        known = {tp: offset for tp, offset in committed.items() if offset}
        self._committed_offset.update(known)
        self._expected = {TP(*tp): offset for tp, offset in {**known, **beginnings}.items()}
        self._watermarks.clear()
        self._sought.clear()
        self._room.set()

    # -- from the broker to the agents ---------------------------------------------------------------------------------

    async def _drain_messages(self, fetcher: Any) -> None:
        """Run until the fetcher stops: fetch, cut, hand over."""
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):  # noqa: SLF001 - Faust does it this way
                await self._fetch_and_hand_over()
        except (ConsumerStoppedError, asyncio.CancelledError):
            if not self.app.should_stop:
                raise

    async def _fetch_and_hand_over(self) -> None:
        if not self.flow_active:
            await self.wait(self.can_resume_flow.wait())
            return
        wanted = self._partitions_with_room()
        if not wanted:
            self._room.clear()
            await self.wait_first(self._room.wait(), self.suspend_flow.wait(), timeout=IDLE_WAIT_S)
            return
        generation = self.app.consumer_generation_id
        crowded = len(wanted) < len(self._get_active_partitions())
        fetched = await self._getmany(wanted, CROWDED_WAIT_S if crowded else IDLE_WAIT_S)
        for tp, records in (fetched or {}).items():
            if not await self._hand_over(TP(*tp), records, generation):
                return
        await asyncio.sleep(0)

    async def _hand_over(self, tp: TP, records: list[Any], generation: int) -> bool:
        """Whether the session that fetched these records still holds; if not they are fetched again."""
        if not self._is_live(tp, generation) or not await self._follows_on(tp, records[0].offset):
            return self._is_live(tp, generation)
        self._note_lag(tp, records[0].offset)
        for chunk in cut(tp.topic, tp.partition, records):
            if not self._is_live(tp, generation):
                return False
            self._watermarks[tp].open(chunk.end, chunk.bytes)
            self._expected[tp] = chunk.end
            await self.wait_first(self.callback(_message(tp, chunk, generation)), self.suspend_flow.wait())
        return True

    def _note_lag(self, tp: TP, position: int) -> None:
        with contextlib.suppress(IllegalStateError):  # the partition may be lost at any moment
            lag = max(0, (self.highwater(tp) or 0) - position)
            self.metrics.set("lag_records", lag, topic=tp.topic, partition=tp.partition)

    def _is_live(self, tp: TP, generation: int) -> bool:
        return self.flow_active and self.app.consumer_generation_id == generation and tp in self.assignment()

    async def _follows_on(self, tp: TP, first: int) -> bool:
        """Whether no record before `first` was skipped; seeks back once, for a hole may also be the broker's own.

        A fetch that a rebalance made void has moved the position; retention and compaction leave real holes.
        """
        expected = self._expected.get(tp)
        if expected is None or first == expected:
            return True
        if self._sought.get(tp) == expected:
            if first < expected:
                raise LogWentBack(
                    f"{tp.topic}[{tp.partition}] gives offset {first} for {expected}; the log was replaced"
                )
            log.warning("records_gone", topic=tp.topic, partition=tp.partition, first=expected, end=first)
            return True
        self._sought[tp] = expected
        await self.seek_wait({tp: expected})
        return False

    def _partitions_with_room(self) -> set[TP]:
        active = self._get_active_partitions()
        share = self.buffer_bytes // max(1, len(active))
        return {tp for tp in active if self._watermarks[tp].outstanding_bytes < share}

    def on_buffer_full(self, tp: TP) -> None:
        """Nothing: bytes bound the buffers, not counts."""

    def on_buffer_drop(self, tp: TP) -> None:
        """Nothing: see `on_buffer_full`."""

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing: Faust's check counts records one by one and would call a quiet partition stuck."""


class ChunkTransport(driver.Transport):
    """Kafka through aiokafka with the consumer above."""

    Consumer = ChunkConsumer
    buffer_bytes = 32_000_000
    metrics: Metrics = NoMetrics()


def _message(tp: TP, chunk: Chunk, generation: int) -> ConsumerMessage:
    last = chunk.arrived[-1]
    seconds = last.timestamp_us / 1e6
    value = cast("bytes", chunk)  # Faust hands it on as it is: the agent's topic has the serializer raw
    return ConsumerMessage(
        tp.topic, tp.partition, last.offset, seconds, 0, None, None, value, None, 0, chunk.bytes, tp,
        generation_id=generation,
    )  # fmt: skip
