"""Model events on Kafka as the trainer and the registry announce them; no other file of ours writes this topic.

An announcement is durable when it returns (acks=all, idempotent). What the topic holds is read from its beginning, so
that whoever heals after a crash announces exactly what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from schemas.codec import decode, encode
from schemas.errors import SchemaError
from schemas.records import ModelEvent
from sinks.errors import BrokerUnavailable

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class KafkaAnnouncer:
    """Announces model events on one topic of one cluster; `kafka` are further settings of the clients (TLS, SASL)."""

    bootstrap_servers: str
    topic: str = "model.events"
    timeout_s: float = 30.0
    kafka: Mapping[str, str] = field(default_factory=dict, repr=False)

    def announce(self, event: ModelEvent) -> None:
        """Write one event and wait for the broker's confirmation.

        Raises:
            BrokerUnavailable: no confirmation came in time.
        """
        producer = Producer(
            {**self._where(), "acks": "all", "enable.idempotence": True, "allow.auto.create.topics": False}
        )
        failures: list[str] = []
        producer.produce(self.topic, encode(event), event.adapter, on_delivery=_collect(failures))
        if producer.flush(self.timeout_s) or failures:
            why = failures[0] if failures else f"no confirmation in {self.timeout_s:.0f} s"
            raise BrokerUnavailable(f"{event.kind} of {event.adapter} not announced at {self.bootstrap_servers}: {why}")

    def announced(self) -> set[str]:
        """The ids of all model events in the topic; records that cannot be read are logged and passed over.

        Raises:
            BrokerUnavailable: the topic cannot be read.
        """
        return {event.event_id for event in self._held()}

    def _where(self) -> dict[str, Any]:
        return {**self.kafka, "bootstrap.servers": self.bootstrap_servers}

    def _held(self) -> Iterator[ModelEvent]:
        settings = {**self._where(), "group.id": f"still-{uuid4().hex}"}
        consumer = Consumer({**settings, "enable.auto.commit": False, "enable.partition.eof": True})
        try:
            partitions = consumer.list_topics(self.topic, timeout=self.timeout_s).topics[self.topic].partitions
            consumer.assign([TopicPartition(self.topic, number, OFFSET_BEGINNING) for number in partitions])
            yield from _until_end(consumer, len(partitions), self.timeout_s)
        except KafkaException as error:
            raise BrokerUnavailable(f"{self.topic} at {self.bootstrap_servers} cannot be read: {error}") from error
        finally:
            consumer.close()


def _until_end(consumer: Consumer, unfinished: int, timeout_s: float) -> Iterator[ModelEvent]:
    while unfinished:
        message = consumer.poll(timeout_s)
        if message is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - librdkafka's public code
        if (error := message.error()) is None:
            yield from _decoded(message)
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
            unfinished -= 1
        else:
            raise KafkaException(error)


def _decoded(message: Message) -> Iterator[ModelEvent]:
    try:
        yield decode(message.value() or b"", ModelEvent)
    except SchemaError as error:
        log.warning("model_event_unreadable", offset=message.offset(), reason=str(error))


def _collect(failures: list[str]) -> Callable[[KafkaError | None, Message], None]:
    return lambda error, _: failures.append(str(error)) if error is not None else None
