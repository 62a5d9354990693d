"""Reads the sink's topics from Kafka: membership, positions, commits; nothing here knows rows or tables.

Kafka's committed offsets are a hint for lag displays only: where to read on is what the caller says on assignment.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from threading import Thread
from typing import Any, Protocol

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.logtime import logged_us
from sinks.errors import BrokerUnavailable, Misconfigured
from sinks.settings import SinkSettings
from sinks.values import Arrived, Partition

log = structlog.get_logger()

FETCH = 5_000
METADATA_S = 5.0
LEAVE_S = 2.0
END_S = 0.2
"""How long the loop may wait to hear where a paused partition ends."""
LOWEST_S = 6.0
"""How long an assignment may wait to hear where a partition begins: as long as metadata may be old, and a little."""
AGAIN_S = 0.2
PROBE_S = 2.0
"""How long the loop may wait to hear which cluster is there: a stop must not wait longer."""


class Listener(Protocol):
    """Who decides what an assignment means."""

    def assigned(self, partitions: list[Partition]) -> Mapping[Partition, int]:
        """The first offset to read of each partition."""

    def revoked(self, partitions: list[Partition]) -> None:
        """Finish with these; somebody else reads them next."""


class Reader:
    """One member of the sink's consumer group."""

    def __init__(self, settings: SinkSettings, listener: Listener) -> None:
        self._prefix = settings.topic_prefix
        self._probe = settings.topic_prefix + settings.topics[0]
        self._consumer = Consumer(_consumer_settings(settings), logger=_Quiet())
        self.cluster = _cluster(self._consumer, METADATA_S, self._probe) or ""
        if not self.cluster:
            self._consumer.close()
            raise BrokerUnavailable(f"no Kafka answers at {settings.bootstrap_servers}; start it, then try again")
        self._settings = settings
        self._listener = listener
        self._partitions: dict[tuple[str, int], Partition] = {}
        self._paused: set[str] = set()
        self._silent_until_s = 0.0

    def open(self) -> None:
        """Take all partitions, or join the group and wait to be given some.

        Raises:
            Misconfigured: a topic is not there.
        """
        topics = [self._prefix + topic for topic in self._settings.topics]
        assigned = self._when_assigned(self._listener)
        if self._settings.is_shared:
            self._consumer.subscribe(topics, on_assign=assigned, on_revoke=self._when_revoked(self._listener))
        else:
            known = self._consumer.list_topics(timeout=METADATA_S).topics
            if missing := [topic for topic in topics if topic not in known]:
                raise Misconfigured(f"topics {missing} are not there; run `still init`")
            assigned(self._consumer, [TopicPartition(t, number) for t in topics for number in known[t].partitions])

    def cluster_now(self) -> str | None:
        """The id of the cluster that answers now; None = none does."""
        return _cluster(self._consumer, PROBE_S, self._probe)

    def cluster_asked_apart(self) -> str | None:
        """As `cluster_now`, for a listener: amid a rebalance the consumer must not be asked, so another client is.

        `list_topics` drops what the binding notes of the `consume` under way in this thread and client; the next
        callback of that same `consume`, a log line is enough, then aborts the process.
        """
        client = AdminClient(
            {**self._settings.kafka, "bootstrap.servers": self._settings.bootstrap_servers}, logger=_Quiet()
        )
        return _cluster(client, PROBE_S)

    def read(self, wait_s: float) -> list[Arrived]:
        """What has come, in order per partition.

        Raises:
            BrokerUnavailable: this member was fenced, or the client cannot go on.
        """
        messages = self._consumer.consume(FETCH, wait_s)
        return [arrived for message in messages if (arrived := self._arrived(message)) is not None]

    def pause_only(self, topics: set[str]) -> None:
        """Fetch nothing more of these topics for now, and fetch all others again."""
        if more := topics - self._paused:
            self._consumer.pause(self._of(more))
        if again := self._paused - topics:
            self._consumer.resume(self._of(again))
        self._paused = topics

    def commit(self, ends: Mapping[Partition, int]) -> None:
        """Tell Kafka how far rows have landed, without waiting: a hint that may get lost."""
        mine = set(self._partitions.values())
        offsets = [self._position(p, offset + 1) for p, offset in ends.items() if p in mine]
        if offsets:
            try:
                self._consumer.commit(offsets=offsets, asynchronous=True)
            except KafkaException as error:
                log.warning("commit_hint_lost", why=str(error))

    def end(self, partition: Partition) -> int | None:
        """The end of a partition as its newest fetch brought it, asked for while it is paused; None = not known yet."""
        where = self._position(partition, 0)
        end: int = self._consumer.get_watermark_offsets(where, cached=True)[1]
        if partition.topic in self._paused:
            end = max(end, self._asked_end(where))
        return end if end >= 0 else None

    def _asked_end(self, where: TopicPartition) -> int:
        """What the broker says; -1 = nothing, and then it is left alone for a while: the loop has more to do."""
        if time.monotonic() < self._silent_until_s:
            return -1
        try:
            end: int = self._consumer.get_watermark_offsets(where, timeout=END_S)[1]
        except KafkaException:
            self._silent_until_s = time.monotonic() + METADATA_S
            return -1
        return end

    def close(self) -> None:
        """Leave the group; of a broker that is away no answer is waited for: commits under way would take a minute."""
        closing = Thread(target=self._consumer.close, name="leave-group", daemon=True)
        closing.start()
        closing.join(LEAVE_S)
        if closing.is_alive():
            log.warning("group_not_left", help="the broker does not answer; it finds out by the session timeout")

    def _of(self, topics: Iterable[str]) -> list[TopicPartition]:
        wanted = set(topics)
        return [
            TopicPartition(self._prefix + p.topic, p.number) for p in self._partitions.values() if p.topic in wanted
        ]

    def _position(self, partition: Partition, offset: int) -> TopicPartition:
        return TopicPartition(self._prefix + partition.topic, partition.number, offset)

    def _arrived(self, message: Message) -> Arrived | None:
        error = message.error()
        if error is not None:
            _judge(error)
            return None
        topic, number, offset = message.topic(), message.partition(), message.offset()
        if topic is None or number is None or offset is None or (topic, number) not in self._partitions:
            return None
        partition, time_us = self._partitions[topic, number], logged_us(message.timestamp()[1])
        return Arrived(partition, offset, time_us, message.key(), message.value(), _headers(message))

    def _when_assigned(self, listener: Listener) -> Callable[[Consumer, list[TopicPartition]], None]:
        def assigned(consumer: Consumer, given: list[TopicPartition]) -> None:
            partitions = [Partition(self.cluster, tp.topic.removeprefix(self._prefix), tp.partition) for tp in given]
            starts = listener.assigned(partitions)
            self._partitions = {(self._prefix + p.topic, p.number): p for p in partitions}
            positions = [self._position(p, self._first(p, starts[p])) for p in partitions]
            consumer.assign(positions)
            # What was paused before would stay so: librdkafka keeps the application's pause over an assignment.
            consumer.resume(positions)
            self._paused = set()

        return assigned

    def _first(self, partition: Partition, wanted: int) -> int:
        """Where to begin: what retention has removed before it could land is said aloud, with its offsets."""
        position = self._position(partition, wanted)
        lowest = self._lowest(position)
        if lowest > wanted:
            gone = {"topic": position.topic, "partition": partition.number, "first": wanted, "last": lowest - 1}
            log.error("removed_before_landing", **gone, help="retention took offsets that had not landed; raise it")
        return max(lowest, wanted) or OFFSET_BEGINNING

    def _lowest(self, position: TopicPartition) -> int:
        """The first offset that the log holds; asked again for a while, for a node that comes or goes fails at once."""
        deadline = time.monotonic() + LOWEST_S
        while True:
            left_s = max(AGAIN_S, deadline - time.monotonic())
            try:
                return int(self._consumer.get_watermark_offsets(position, timeout=left_s)[0])
            except KafkaException as error:
                if left_s == AGAIN_S:
                    where = f"{position.topic}/{position.partition}"
                    raise BrokerUnavailable(f"{where} does not say where it begins: {error}") from error
            time.sleep(AGAIN_S)

    def _when_revoked(self, listener: Listener) -> Callable[[Consumer, list[TopicPartition]], None]:
        def revoked(_: Consumer, taken: list[TopicPartition]) -> None:
            partitions = [
                self._partitions[tp.topic, tp.partition] for tp in taken if (tp.topic, tp.partition) in self._partitions
            ]
            listener.revoked(partitions)
            self._partitions = {}

        return revoked


def _cluster(client: Consumer | AdminClient, wait_s: float, topic: str | None = None) -> str | None:
    """The id of the cluster that answers `client`; None = none does in time."""
    try:
        found: str | None = client.list_topics(topic, timeout=wait_s).cluster_id
    except KafkaException:
        return None
    return found


def _headers(message: Message) -> dict[str, bytes]:
    headers = message.headers()
    pairs = headers.items() if isinstance(headers, dict) else headers or ()
    return {name: value for name, value in pairs if isinstance(value, bytes)}


def _judge(error: KafkaError) -> None:
    # What `consume` brings has librdkafka's code for a fatal error, and no flag that says so.
    if error.fatal() or error.code() == KafkaError._FATAL:  # noqa: SLF001 - librdkafka's own name for it
        raise BrokerUnavailable(f"this sink cannot read on: {error.str()}; start it again")
    if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - librdkafka's own name for it
        raise BrokerUnavailable(
            f"the log does not hold what comes after the last landed offset: {error.str()}; if the topic was made anew"
            " under the same cluster id, give it another STILL_TOPIC_PREFIX and the tables another database"
        )
    log.warning("kafka_trouble", code=error.code(), why=error.str())


def _consumer_settings(settings: SinkSettings) -> dict[str, Any]:
    is_static = settings.is_shared and settings.instance
    static = {"group.instance.id": settings.instance} if is_static else {}
    return {
        **settings.kafka,
        **static,
        "bootstrap.servers": settings.bootstrap_servers,
        "group.id": settings.topic_prefix + settings.group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        # An offset that is not there is an error, not a reason to begin elsewhere: see `_first`.
        "auto.offset.reset": "error",
        "session.timeout.ms": settings.session_timeout_ms,
        "heartbeat.interval.ms": settings.session_timeout_ms // 4,
        "max.poll.interval.ms": 600_000,
        "topic.metadata.refresh.interval.ms": 5_000,
        "queued.min.messages": 20_000,
        "queued.max.messages.kbytes": 32_768,
        "fetch.wait.max.ms": 100,
        "fetch.message.max.bytes": 2_000_000,
    }


class _Quiet:
    """librdkafka's own log lines, as ours."""

    def log(self, level: int, message: str, *values: object) -> None:
        log.debug("librdkafka", level=level, message=message % values if values else message)
