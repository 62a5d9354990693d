"""Model events as a serving layer reads them: from Kafka, or from a list that is there already.

Every reader reads the whole topic for itself, without a consumer group: the state is the sum of all events.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from uuid import uuid4

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.codec import decode
from schemas.errors import SchemaError
from schemas.records import ModelEvent
from serving.errors import EventsUnavailable

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RecordedEvents:
    """Events that are known already, such as the registry's; nothing follows."""

    events: Sequence[ModelEvent]

    def replay(self) -> Iterable[ModelEvent]:
        """All of them."""
        return self.events

    def follow(self, wait_s: float) -> Iterable[ModelEvent]:  # noqa: ARG002 - nothing comes, nothing is waited for
        """None."""
        return ()


class KafkaEvents:
    """The topic of model events on one cluster; close it after use. `kafka` are further client settings (TLS, SASL)."""

    def __init__(
        self,
        bootstrap_servers: str,
        topic: str = "model.events",
        timeout_s: float = 10.0,
        kafka: Mapping[str, str] | None = None,
    ) -> None:
        self._where = f"{topic} at {bootstrap_servers}"
        self._topic, self._timeout_s = topic, timeout_s
        self._consumer = Consumer(
            {
                **(kafka or {}),
                "bootstrap.servers": bootstrap_servers,
                "group.id": f"still-subscriber-{uuid4().hex}",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()

    def replay(self) -> Iterator[ModelEvent]:
        """Every event up to the end of the topic as it is now.

        Raises:
            EventsUnavailable: Kafka does not answer, or the topic is not there.
        """
        unfinished = self._assign()
        deadline = time.monotonic() + self._timeout_s
        while unfinished:
            if time.monotonic() > deadline:
                raise EventsUnavailable(f"{self._where} did not end within {self._timeout_s:.0f} s; is Kafka well?")
            message = self._consumer.poll(1.0)
            if message is not None and _is_end(message):
                unfinished -= 1
            elif message is not None:
                deadline = time.monotonic() + self._timeout_s
                yield from self._read(message)

    def follow(self, wait_s: float) -> Iterator[ModelEvent]:
        """Events that came since, or none after `wait_s`; a broker that is away is waited for."""
        message = self._consumer.poll(wait_s)
        while message is not None:
            yield from self._read(message)
            message = self._consumer.poll(0.0)

    def _assign(self) -> int:
        try:
            topic = self._consumer.list_topics(self._topic, timeout=self._timeout_s).topics[self._topic]
        except KafkaException as error:
            raise EventsUnavailable(f"{self._where} cannot be read: {error}; start Kafka, then try again") from error
        if topic.error is not None or not topic.partitions:
            raise EventsUnavailable(f"{self._where}: {topic.error or 'no partitions'}; run `still init` first")
        self._consumer.assign([TopicPartition(self._topic, number, OFFSET_BEGINNING) for number in topic.partitions])
        return len(topic.partitions)

    def _read(self, message: Message) -> Iterator[ModelEvent]:
        if error := message.error():
            if not _is_end(message):
                log.warning("model_events_interrupted", reason=str(error))
            return
        try:
            yield decode(message.value() or b"", ModelEvent)
        except SchemaError as fault:
            log.warning("model_event_unreadable", offset=message.offset(), reason=str(fault))


def _is_end(message: Message) -> bool:
    error = message.error()
    return error is not None and error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001 - librdkafka's public code
