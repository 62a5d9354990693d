"""How far behind the consumers are: end offsets minus committed ones, per group and topic. Absent is None, never 0."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from still.errors import UserError

TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Lag:
    """Records of one topic that a group has not finished yet; None = the group never committed there."""

    group: str
    topic: str
    end: int
    behind: int | None


def lags(bootstrap_servers: str, groups: dict[str, tuple[str, ...]]) -> list[Lag]:
    """The lag of each group on each of its topics.

    Raises:
        UserError: the broker is not there.
    """
    options: dict[str, str | int | float | bool] = {
        "bootstrap.servers": bootstrap_servers,
        "log_level": 0,
        "socket.timeout.ms": int(TIMEOUT_S * 1000),
    }
    consumer = Consumer({**options, "group.id": "still.status", "enable.auto.commit": False})
    try:
        known = consumer.list_topics(timeout=TIMEOUT_S).topics
        return [
            _lag(consumer, AdminClient(options), group, topic, sorted(known[topic].partitions))
            for group, names in groups.items()
            for topic in names
            if topic in known
        ]
    except KafkaException as error:
        raise UserError(f"the broker at {bootstrap_servers} does not answer: {error.args[0].str()}") from None
    finally:
        consumer.close()


def _lag(consumer: Consumer, admin: AdminClient, group: str, topic: str, partitions: list[int]) -> Lag:
    ends = {number: consumer.get_watermark_offsets(TopicPartition(topic, number))[1] for number in partitions}
    done = dict(_committed(admin, group, topic, partitions))
    known = [ends[number] - done[number] for number in partitions if number in done]
    # A partition without a commit and without records is no lag; one with records and no commit is unknown.
    unknown = any(ends[number] for number in partitions if number not in done)
    return Lag(group, topic, sum(ends.values()), None if unknown else sum(max(0, behind) for behind in known))


def _committed(admin: AdminClient, group: str, topic: str, partitions: list[int]) -> Iterator[tuple[int, int]]:
    asked = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, number) for number in partitions])
    found: Any = admin.list_consumer_group_offsets([asked], request_timeout=TIMEOUT_S)[group].result()
    for partition in found.topic_partitions:
        if partition.offset >= 0:
            yield partition.partition, partition.offset
