"""Writes the sink's own dead letters to Kafka, confirmed before it says so.

A letter goes to the partition number of its source, keyed like its source, so that a replay keeps their order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.codec import encode
from schemas.records import DeadLetter
from sinks.errors import BrokerUnavailable
from sinks.settings import SinkSettings

CONFIRM_S = 30.0
MAX_MESSAGE_BYTES = 16_000_000
"""A letter wraps its record, which `schemas.letters` cuts where it would not fit."""


class KafkaDeadLetters:
    """Implements `sinks.values.DeadLetters`."""

    def __init__(self, settings: SinkSettings) -> None:
        self._topic = settings.topic_prefix + "dead.letters"
        self._producer = Producer(
            {
                **settings.kafka,
                "bootstrap.servers": settings.bootstrap_servers,
                "acks": "all",
                "enable.idempotence": True,
                "compression.codec": "lz4",
                "delivery.timeout.ms": int(CONFIRM_S * 1000),
                "message.max.bytes": MAX_MESSAGE_BYTES,
            }
        )
        self._partitions = 0

    def write(self, letters: Sequence[DeadLetter]) -> None:
        """See `DeadLetters`; a letter that went out twice has one id, and lands once."""
        failures: list[str] = []

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failures.append(str(error))

        try:
            for letter in letters:
                self._produce(letter, delivered)
            unconfirmed = self._producer.flush(CONFIRM_S)
        except KafkaException as error:
            raise BrokerUnavailable(f"dead letters cannot be written to {self._topic}: {error}") from error
        if failures or unconfirmed:
            why = failures[0] if failures else f"{unconfirmed} unconfirmed after {CONFIRM_S:.0f} s"
            raise BrokerUnavailable(f"dead letters were not confirmed by {self._topic}: {why}")

    def _produce(self, letter: DeadLetter, delivered: Callable[[KafkaError | None, Message], None]) -> None:
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    encode(letter),
                    key=letter.key,
                    partition=letter.partition % self._partition_count(),
                    on_delivery=delivered,
                )
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def _partition_count(self) -> int:
        if not self._partitions:
            metadata = self._producer.list_topics(self._topic, timeout=CONFIRM_S)
            self._partitions = max(1, len(metadata.topics[self._topic].partitions))
        return self._partitions
