"""Reads partitions of a topic backwards, for a stage that asks what its log had before it began.

One consumer for all partitions, made at the first question. Windows grow, because the first few records nearly always
answer; the whole partition is read only before a hole is told.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from schemas.logtime import logged_us
from streams.errors import BrokerUnavailable
from streams.values import Arrived

POLL_S = 0.05
FIRST_WINDOW = 4
LARGEST_WINDOW = 512
_OPTIONS = {
    "group.id": "still.worker.back",  # required by the client; nothing is committed
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
    "fetch.wait.max.ms": 10,
    "fetch.message.max.bytes": 262_144,
    "queued.max.messages.kbytes": 1024,  # it would fetch 64 MB ahead of what is asked
    "fetch.queue.backoff.ms": 10,
    "log_level": 0,
}


class LookBack:
    """Looks into one topic (named with its prefix); not thread-safe."""

    def __init__(
        self, bootstrap_servers: str, topic: str, options: Mapping[str, str], patience_s: float = 60.0
    ) -> None:
        self._topic = topic
        self._patience_s = patience_s
        self._options: dict[str, Any] = {"bootstrap.servers": bootstrap_servers, **_OPTIONS, **options}
        self._made: Any = None

    def before(self, partition: int, end: int) -> Iterator[Arrived]:
        """The records below offset `end`, the newest first, as far back as the log goes and the caller asks.

        Raises:
            BrokerUnavailable: nobody answers, or the partition stands still.
        """
        if end <= 0:
            return
        start, window = max(0, end - FIRST_WINDOW), FIRST_WINDOW
        yield from reversed(self._window(partition, start, end))
        first = self._first(partition)
        while first < start:
            window = min(8 * window, LARGEST_WINDOW)
            end, start = start, max(first, start - window)
            yield from reversed(self._window(partition, start, end))

    def _consumer(self) -> Any:
        if self._made is None:
            self._made = Consumer(self._options)
        return self._made

    def _first(self, partition: int) -> int:
        where = TopicPartition(self._topic, partition)
        try:
            first, _ = self._consumer().get_watermark_offsets(where, timeout=self._patience_s)
        except KafkaException as error:
            raise self._unavailable(partition, error.args[0].str()) from error
        return int(first)

    def _window(self, partition: int, start: int, end: int) -> list[Arrived]:
        consumer = self._consumer()
        consumer.assign([TopicPartition(self._topic, partition, start)])
        try:
            return self._read(consumer, partition, start, end)
        finally:
            consumer.unassign()

    def _read(self, consumer: Any, partition: int, start: int, end: int) -> list[Arrived]:
        found: list[Arrived] = []
        reached, deadline = start, time.monotonic() + self._patience_s
        while reached < end:
            for message in consumer.consume(end - reached, POLL_S):
                if message.error() is not None:
                    raise self._unavailable(partition, message.error().str())
                reached, deadline = message.offset() + 1, time.monotonic() + self._patience_s
                found.append(_arrived(message))
            if time.monotonic() > deadline:
                raise self._unavailable(partition, f"it stands still at offset {reached} of {end}")
        return [arrived for arrived in found if arrived.offset < end]

    def _unavailable(self, partition: int, why: str) -> BrokerUnavailable:
        return BrokerUnavailable(f"{self._topic}[{partition}] cannot be read back: {why}; is the broker well?")


def _arrived(message: Any) -> Arrived:
    headers = {name: value or b"" for name, value in message.headers() or ()}
    return Arrived(message.offset(), logged_us(message.timestamp()[1]), message.key(), message.value(), headers)
