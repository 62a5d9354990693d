"""librdkafka's own broker for tests, with examples on it: it serves groups and offsets, and keeps no data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Producer

from schemas.codec import encode
from tests.sinks.made import example

ANSWER_S = 60.0


@contextmanager
def mock_broker(records: int, partitions: int = 1) -> Iterator[str]:
    """Its address; it lives as long as the client that made it. `records` examples are there."""
    producer = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    servers = ",".join(f"{b.host}:{b.port}" for b in producer.list_topics(timeout=ANSWER_S).brokers.values())
    send(servers, range(records), partitions)
    yield servers
    producer.flush(0)


def send(servers: str, numbers: range, partitions: int = 1) -> None:
    """Write the examples of these numbers, turn by turn to each partition."""
    sender = Producer({"bootstrap.servers": servers, "log_level": 0})
    for number in numbers:
        at = number % partitions
        sender.produce("examples", encode(example(number, partition=at)), partition=at)
    assert sender.flush(ANSWER_S) == 0
