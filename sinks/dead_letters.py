"""Writes the sink's own dead letters to Kafka, confirmed before it says so.

A letter goes to the partition number of its source, keyed like its source, so that a replay keeps their order.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from threading import Event

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.codec import encode
from schemas.records import DeadLetter
from sinks.errors import BrokerUnavailable
from sinks.settings import SinkSettings

CONFIRM_S = 30.0
METADATA_S = 2.0
LOOK_S = 0.2
"""How long a stop may go unnoticed while letters wait for a broker that is away."""
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
                "allow.auto.create.topics": False,
                "compression.codec": "lz4",
                "delivery.timeout.ms": int(CONFIRM_S * 1000),
                "message.max.bytes": MAX_MESSAGE_BYTES,
            }
        )

    def write(self, letters: Sequence[DeadLetter], given_up: Event) -> None:
        """See `DeadLetters`; a letter that went out twice has one id, and lands once."""
        failures: list[str] = []

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failures.append(str(error))

        try:
            partitions = self._partition_count()
            for letter in letters:
                self._produce(letter, letter.partition % partitions, delivered, given_up)
            unconfirmed = self._flush(given_up)
        except KafkaException as error:
            raise BrokerUnavailable(f"dead letters cannot be written to {self._topic}: {error}") from error
        if failures or unconfirmed:
            why = failures[0] if failures else f"{unconfirmed} unconfirmed"
            raise BrokerUnavailable(f"dead letters were not confirmed by {self._topic}: {why}")

    def _produce(
        self,
        letter: DeadLetter,
        partition: int,
        delivered: Callable[[KafkaError | None, Message], None],
        given_up: Event,
    ) -> None:
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    encode(letter),
                    key=letter.key,
                    partition=partition,
                    on_delivery=delivered,
                )
            except BufferError:
                self._producer.poll(LOOK_S)
                if given_up.is_set():
                    raise BrokerUnavailable(f"dead letters wait for {self._topic}, and the sink stops") from None
            else:
                return

    def _flush(self, given_up: Event) -> int:
        """How many are unconfirmed at last; librdkafka itself gives up each after CONFIRM_S."""
        deadline = time.monotonic() + CONFIRM_S
        unconfirmed = self._producer.flush(LOOK_S)
        while unconfirmed and not given_up.is_set() and time.monotonic() < deadline:
            unconfirmed = self._producer.flush(LOOK_S)
        return unconfirmed

    def _partition_count(self) -> int:
        """Asked anew for each write: a memory-only broker comes back without the topic, or with another count."""
        topic = self._producer.list_topics(self._topic, timeout=METADATA_S).topics[self._topic]
        if not topic.partitions:
            raise BrokerUnavailable(f"there is no topic {self._topic}; run `still init`")
        return len(topic.partitions)
