"""A chunk: consecutive records of one partition, handed over at once. How a fetch is cut into chunks; pure.

A stage spends well under 100 ms on a chunk, so that rebalance, stop and health checks never wait for long.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.logtime import logged_us
from streams.values import Arrived

MAX_RECORDS = 2000
MAX_BYTES = 1_000_000
RECORD_BYTES = 200
"""What a record costs in memory beyond its value."""
CHUNK_BYTES = 700
"""What a chunk costs beyond its records, Faust's message and event included: where events trickle, each is a chunk."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Records of one partition in offset order; never empty."""

    topic: str
    partition: int
    arrived: tuple[Arrived, ...]
    bytes: int

    @property
    def first(self) -> int:
        """Offset of the first record."""
        return self.arrived[0].offset

    @property
    def end(self) -> int:
        """Offset after the last record: what to commit once the chunk is durable."""
        return self.arrived[-1].offset + 1


def cut(topic: str, partition: int, records: Sequence[Any]) -> Iterator[Chunk]:
    """Chunks of at most MAX_RECORDS records and, unless one record alone is larger, MAX_BYTES bytes."""
    held: list[Arrived] = []
    size = CHUNK_BYTES
    for record in records:
        more = RECORD_BYTES + len(record.value or b"")
        if held and (size + more > MAX_BYTES or len(held) == MAX_RECORDS):
            yield Chunk(topic, partition, tuple(held), size)
            held, size = [], CHUNK_BYTES
        held.append(arrived_of(record))
        size += more
    if held:
        yield Chunk(topic, partition, tuple(held), size)


def arrived_of(record: Any) -> Arrived:
    """A consumer record as the steps take it; Kafka counts milliseconds, we microseconds."""
    time_us = logged_us(record.timestamp)
    if not record.headers:
        return Arrived(record.offset, time_us, record.key, record.value)
    headers = {name: value or b"" for name, value in record.headers}
    return Arrived(record.offset, time_us, record.key, record.value, headers)
