"""What a test needs of a real broker's log: write records, read whole topics back. No test of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.produce import Producer, ProduceSettings
from streams.topics import ensure_topics

PARTITIONS = 4


def make_topics(bootstrap_servers: str, prefix: str) -> None:
    """All topics under a prefix."""
    ensure_topics(AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0}), prefix, PARTITIONS)


def write(bootstrap_servers: str, topic: str, records: Sequence[tuple[bytes | None, bytes | None]]) -> None:
    """Append (key, value) records, partitioned by key, in one confirmed batch."""
    producer = Producer(ProduceSettings(bootstrap_servers))
    batch = producer.batch()
    for key, value in records:
        batch.send(topic, key, value)
    batch.confirm().result()
    producer.close()


def read(bootstrap_servers: str, topic: str) -> list[Any]:
    """Every message of a topic up to the end it has now, partition after partition in offset order."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "tests.read", "enable.auto.commit": False})
    messages: list[Any] = []
    partitions = sorted(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
    for partition in partitions:
        _, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
        consumer.assign([TopicPartition(topic, partition, 0)])
        reached = 0
        while reached < end:
            for message in consumer.consume(1000, 0.05):
                assert message.error() is None, message.error()
                messages.append(message)
                reached = int(message.offset() or 0) + 1
            # Tansu names the first offset of its last batch when asked for the end; what a fetch brings is right.
            end = max(end, consumer.get_watermark_offsets(TopicPartition(topic, partition), cached=True)[1])
    consumer.close()
    return messages


def eventually(check: Callable[[], bool], within_s: float, what: str) -> None:
    """Poll until the check holds, or fail saying what never came."""
    deadline = time.monotonic() + within_s
    while not check():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.2)
