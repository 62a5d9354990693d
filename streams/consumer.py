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
from aiokafka.errors import ConsumerStoppedError, KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from streams.chunk import Chunk, cut
from streams.commit import Watermark
from streams.errors import LogWentBack
from streams.gauges import Gauges, Place
from streams.metrics import Metrics, NoMetrics

log = structlog.get_logger()

IDLE_WAIT_S = 1.0
FETCH_WAIT_MS = 100
"""How long the broker may hold back the answer to a fetch when it has nothing: the embedded one answers when half of it
is over even if a record came just after the question, so that it bounds the freshness of every hop."""
CROWDED_WAIT_S = 0.05
"""How long a fetch may wait while another partition is full: it must not delay that one's next chunk."""

MEASURE_EVERY_S = 1.0
ENDS_WAIT_S = 2.0
"""How long a question for the ends may stay without an answer; the next one is asked anew."""


class _PromptThread(driver.AIOKafkaConsumerThread):
    """Faust's thread around aiokafka with a fetch that waits less, and a question that does not queue."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001 - Faust fixes 1.5 s and has no setting
        # As the sink reads: what a publisher takes back must be in no conversation. Faust has no setting for it either.
        consumer._isolation_level = "read_committed"  # noqa: SLF001
        return consumer

    async def ends(self, places: list[Place]) -> dict[Any, int]:
        """Where these end, as the broker says; not in Faust's queue of calls, where a commit would wait behind it."""
        asked = asyncio.run_coroutine_threadsafe(self._ensure_consumer().end_offsets(places), self.thread_loop)
        ends: dict[Any, int] = await asyncio.wrap_future(asked)
        return ends


class ChunkConsumer(driver.Consumer):
    """Hands over chunks, bounded by bytes, and commits by watermark."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        transport = cast("ChunkTransport", self.transport)
        self.buffer_bytes = transport.buffer_bytes
        self._gauges = Gauges(transport.metrics)
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
        arrived = message.value.arrived
        position = self._watermarks[message.tp].position
        self._gauges.acknowledged(Place(*message.tp), position, arrived[0].timestamp_us, arrived[-1].timestamp_us)
        self._show(Place(*message.tp))
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
            self._gauges.drop(Place(*tp))

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
        self._gauges.hold({Place(*tp): position for tp, position in self._expected.items()})
        self._room.set()

    # -- what is shown -------------------------------------------------------------------------------------------------

    async def measure(self) -> None:
        """Show where each partition stands, also while no stage moves.

        A full partition is not fetched, so that nobody tells its end by the way: it is asked for.
        """
        for place in self._gauges.held:
            self._show(place)
        if not (self._gauges.held and self.flow_active):
            return
        try:
            ends = await asyncio.wait_for(cast("_PromptThread", self._thread).ends(self._gauges.held), ENDS_WAIT_S)
        except (TimeoutError, KafkaError) as error:
            log.debug("ends_unknown", reason=str(error))  # what was known before goes on being shown
            return
        for tp, end in ends.items():
            self._gauges.heard(Place(*tp), end)
            self._show(Place(*tp))

    def _show(self, place: Place) -> None:
        tp = TP(*place)
        with contextlib.suppress(AssertionError):  # aiokafka's word for a partition lost just now
            self._gauges.heard(place, self.highwater(tp))
        mark = self._watermarks.get(tp)
        self._gauges.show(place, None if mark is None else mark.waits_since_us)

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
        self._show(Place(*tp))
        for chunk in cut(tp.topic, tp.partition, records):
            if not self._is_live(tp, generation):
                return False
            self._watermarks[tp].open(chunk.end, chunk.bytes, chunk.arrived[0].timestamp_us)
            self._expected[tp] = chunk.end
            await self.wait_first(self.callback(_message(tp, chunk, generation)), self.suspend_flow.wait())
        return True

    def _is_live(self, tp: TP, generation: int) -> bool:
        return self.flow_active and self.app.consumer_generation_id == generation and tp in self.assignment()

    async def _follows_on(self, tp: TP, first: int) -> bool:
        """Whether no record before `first` was skipped; seeks back once, for a hole may also be the broker's own.

        A fetch that a rebalance made void has moved the position. Real holes are what retention took, which is told,
        and within the log the ends of transactions and what those took back.
        """
        expected = self._expected.get(tp)
        if expected is None or first == expected:
            return True
        if self._sought.get(tp) == expected:
            if first < expected:
                raise LogWentBack(
                    f"{tp.topic}[{tp.partition}] gives offset {first} for {expected}; the log was replaced"
                )
            if await self._lowest(tp) > expected:
                log.warning("records_gone", topic=tp.topic, partition=tp.partition, first=expected, end=first)
            return True
        self._sought[tp] = expected
        await self.seek_wait({tp: expected})
        return False

    async def _lowest(self, tp: TP) -> int:
        """The first offset that the log holds."""
        lowest: Mapping[TP, int] = await self._thread.earliest_offsets(tp)
        return lowest[tp]

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
