"""How far behind the consumers are: end offsets minus committed ones, per group and topic. Absent is None, never 0.

Ends are read off fetches, not asked for: the embedded broker answers a question for the end with the start of the last
batch, and a lag of 0 that is none would end a wait too early.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from sinks.settings import GROUP as SINK
from sinks.tables import by_topic
from still.errors import UserError
from still.settings import Settings
from streams.worker_settings import GROUP as WORKER

TIMEOUT_S = 5.0

Ends = dict[tuple[str, int], int]
"""The end offset of each (topic, partition)."""


class EndsUnknown(UserError):  # noqa: N818 - named for what it is
    """The broker answers, and did not tell in time where every partition ends; the next look may hear it."""


@dataclass(frozen=True, slots=True)
class Lag:
    """Records of one topic that a group has not finished yet.

    Attributes:
        end: all records that the topic ever had.
        behind: None = there are records, and the group never committed in their partition.
        waiting: the same, but such a partition counts whole, for our groups begin with the first record.
    """

    group: str
    topic: str
    end: int
    behind: int | None
    waiting: int


@dataclass(frozen=True, slots=True)
class Look:
    """Where the topics of a cluster ended at a moment, seconds of the monotonic clock."""

    cluster: str
    ends: Ends
    at_s: float


def groups(settings: Settings) -> dict[str, tuple[str, ...]]:
    """The consumer groups of worker and sink, and the topics that each of them reads; all with their prefix."""
    prefix = settings.topic_prefix
    read = {WORKER: ("conversation.events", "conversations"), SINK: tuple(by_topic())}
    return {prefix + group: tuple(prefix + topic for topic in topics) for group, topics in read.items()}


def look(bootstrap_servers: str, topics: Collection[str], kafka: Mapping[str, str] | None = None) -> Look:
    """Read where topics end.

    Raises:
        UserError: the broker is not there.
        EndsUnknown: it did not tell all.
    """
    with _explained(bootstrap_servers):
        return _look(_options(bootstrap_servers, kafka), set(topics))


def lags(
    bootstrap_servers: str, groups: Mapping[str, Sequence[str]], kafka: Mapping[str, str] | None = None
) -> list[Lag]:
    """The lag of each group on each of its topics that exist; `kafka` are further client settings (TLS, SASL).

    Raises:
        UserError: the broker is not there.
        EndsUnknown: it did not tell where every topic ends.
    """
    options = _options(bootstrap_servers, kafka)
    with _explained(bootstrap_servers):
        ends = _look(options, {topic for topics in groups.values() for topic in topics}).ends
        admin = AdminClient(options)
        return [
            _lag(admin, group, topic, {number: end for (name, number), end in ends.items() if name == topic})
            for group, topics in groups.items()
            for topic in topics
            if any(name == topic for name, _ in ends)
        ]


def _options(bootstrap_servers: str, kafka: Mapping[str, str] | None) -> dict[str, Any]:
    return {**(kafka or {}), "bootstrap.servers": bootstrap_servers, "log_level": 0}


@contextmanager
def _explained(bootstrap_servers: str) -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        raise UserError(f"the broker at {bootstrap_servers} does not answer: {error.args[0].str()}") from None


def _look(options: dict[str, Any], topics: set[str]) -> Look:
    consumer = Consumer(
        {**options, "group.id": "still.status", "enable.auto.commit": False, "enable.partition.eof": True}
    )
    try:
        metadata = consumer.list_topics(timeout=TIMEOUT_S)
        known = metadata.topics
        places = [(name, number) for name in sorted(topics & known.keys()) for number in known[name].partitions]
        return Look(str(metadata.cluster_id), _fetched_ends(consumer, places), time.monotonic())
    finally:
        consumer.close()


def _fetched_ends(consumer: Consumer, places: list[tuple[str, int]]) -> Ends:
    asked = [TopicPartition(*place) for place in places]
    about = [consumer.get_watermark_offsets(partition, timeout=TIMEOUT_S)[1] for partition in asked]
    consumer.assign([TopicPartition(*place, end) for place, end in zip(places, about, strict=True)])
    ends: Ends = {}
    deadline = time.monotonic() + TIMEOUT_S
    while len(ends) < len(places) and time.monotonic() < deadline:
        for message in consumer.consume(1000, timeout=0.1):
            error = message.error()
            if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                ends[str(message.topic()), int(message.partition() or 0)] = int(message.offset() or 0)
    if unknown := sorted(f"{topic}[{number}]" for topic, number in places if (topic, number) not in ends):
        raise EndsUnknown(
            f"the broker did not tell within {TIMEOUT_S:g} s where {', '.join(unknown[:3])} ends ({len(unknown)} of"
            f" {len(places)} partitions); it is busy, or they have no leader: try again"
        )
    return ends


def _lag(admin: AdminClient, group: str, topic: str, ends: dict[int, int]) -> Lag:
    done = dict(_committed(admin, group, topic, sorted(ends)))
    # A partition without a commit and without records is no lag; one with records and no commit is unknown.
    unknown = any(end for number, end in ends.items() if number not in done)
    behind = sum(max(0, ends[number] - offset) for number, offset in done.items())
    waiting = sum(max(0, end - done.get(number, 0)) for number, end in ends.items())
    return Lag(group, topic, sum(ends.values()), None if unknown else behind, waiting)


def _committed(admin: AdminClient, group: str, topic: str, partitions: list[int]) -> Iterator[tuple[int, int]]:
    asked = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, number) for number in partitions])
    found: Any = admin.list_consumer_group_offsets([asked], request_timeout=TIMEOUT_S)[group].result()
    for partition in found.topic_partitions:
        if partition.offset >= 0:
            yield partition.partition, partition.offset
