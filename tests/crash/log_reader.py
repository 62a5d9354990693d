"""Reads a partition of a broker's log from its beginning to its end, record by record, in bounded memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from streams.values import Arrived


def ends(bootstrap_servers: str, topic: str) -> dict[int, int]:
    """The end offset of each partition, as a fetch sees it: asked for it, Tansu names the start of its last batch."""
    consumer = _consumer(bootstrap_servers)
    try:
        found = {partition: _told(consumer, topic, partition) for partition in _partitions(consumer, topic)}
        consumer.assign([TopicPartition(topic, partition, max(0, end - 1)) for partition, end in found.items()])
        left = set(found)
        while left:
            message = consumer.poll(30.0)
            assert message is not None, f"no answer about the end of {topic}"
            partition, error = message.partition() or 0, message.error()
            if error is None:
                found[partition] = (message.offset() or 0) + 1
            else:
                assert error.code() == KafkaError._PARTITION_EOF, error
                left.discard(partition)
    finally:
        consumer.close()
    return found


def partitions(bootstrap_servers: str, topic: str) -> list[int]:
    """The partitions of a topic."""
    consumer = _consumer(bootstrap_servers)
    try:
        return _partitions(consumer, topic)
    finally:
        consumer.close()


def leader_changes(bootstrap_servers: str, topics: Collection[str]) -> int:
    """How often partitions of these topics got another leader, or the same one anew, since they were made."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    places = [TopicPartition(topic, number) for topic in topics for number in partitions(bootstrap_servers, topic)]
    latest: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    answers = admin.list_offsets(dict.fromkeys(places, latest), request_timeout=30)
    return sum(answer.result().leader_epoch or 0 for answer in answers.values())


def records(bootstrap_servers: str, topic: str, partition: int, start: int = 0) -> Iterator[Arrived]:
    """All records from `start` to the end of now."""
    consumer = _consumer(bootstrap_servers)
    consumer.assign([TopicPartition(topic, partition, start)])
    try:
        while True:
            for message in consumer.consume(2000, 0.2):
                error = message.error()
                if error is not None and error.code() == KafkaError._PARTITION_EOF:
                    return
                assert error is None, error
                at = message.offset()
                assert at is not None
                headers = dict(message.headers() or ())
                yield Arrived(at, message.timestamp()[1] * 1000, message.key(), message.value(), headers)  # type: ignore[arg-type]
    finally:
        consumer.close()


def _partitions(consumer: Consumer, topic: str) -> list[int]:
    return sorted(consumer.list_topics(topic, timeout=30).topics[topic].partitions)


def _told(consumer: Consumer, topic: str, partition: int) -> int:
    _, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)
    return max(0, int(end))


def _consumer(bootstrap_servers: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "tests.audit",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 20,  # an end is known by a fetch that waits in vain
            "log_level": 0,
        }
    )
