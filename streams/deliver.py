"""Put records on the log so that they are there: all sent, in their order, all confirmed, or an error.

A stage's records have a producer of their own whose messages never expire and never leave a gap: librdkafka,
idempotent, tries each until the broker has it, and none passes one before it. So nothing is sent twice from here, and
order within a partition holds across any outage. Only failures call back (a success costs nothing in Python); that all
others arrived is what an empty queue says, for a message counts in it until its report has been handed out.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import structlog
from confluent_kafka import KafkaException

from streams.errors import BrokerUnavailable, DeliveryFailed, ProduceError
from streams.metrics import Metrics
from streams.produce import ProduceSettings, kafka_producer, refusal

log = structlog.get_logger()

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 5.0
"""How long a confirmation may take before that is told; doubles from the first to the longest."""
_FULL_WAIT_S = 0.01
_NO_EXPIRY = {
    "message.timeout.ms": 0,
    "enable.gapless.guarantee": True,
    "delivery.report.only.error": True,
}


class Outgoing(NamedTuple):
    """A record to be written: Kafka topic (with prefix), partition, key, wire-format value (None = tombstone)."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None


class Confirms(Protocol):
    """Makes records durable."""

    def confirm(self, batch: Sequence[Outgoing]) -> None:
        """Return once every record is there, in order; raise if that cannot be said."""


class Delivery:
    """Sends batches for one stage, one at a time; blocks its thread, never the event loop.

    Raises:
        ValueError: librdkafka does not know a setting.
    """

    def __init__(self, settings: ProduceSettings, metrics: Metrics, give_up_after_s: float) -> None:
        self._settings = settings
        self._metrics = metrics
        self._give_up_after_s = give_up_after_s
        self._failure: ProduceError | None = None
        self._last_error = ""
        self._kafka = kafka_producer({**settings.librdkafka(), **_NO_EXPIRY}, self._note)

    def confirm(self, batch: Sequence[Outgoing]) -> None:
        """Return once every record is confirmed by all in-sync replicas.

        Raises:
            BrokerUnavailable: nobody confirmed for `give_up_after_s`.
            ProduceError: the broker refused a record for good.
        After an error it is unknown what arrived, and this delivery takes no more: the process ends.
        """
        deadline = time.monotonic() + self._give_up_after_s
        produce, failed = self._kafka.produce, self._failed
        try:
            for topic, partition, key, value in batch:
                try:
                    produce(topic, value, key, partition, failed)
                except BufferError:
                    self._wait_for_room(batch, deadline)
                    produce(topic, value, key, partition, failed)
        except KafkaException as error:
            raise refusal(error.args[0], batch[0].topic) from error
        self._flush(batch, deadline)
        for topic in {out.topic for out in batch}:
            self._metrics.add("records_produced", sum(out.topic == topic for out in batch), topic=topic)

    def _wait_for_room(self, batch: Sequence[Outgoing], deadline: float) -> None:
        """Until the queue is half empty: one message's room would be gone again at once."""
        full = len(self._kafka)
        while len(self._kafka) > full // 2:
            self._kafka.poll(_FULL_WAIT_S)
            self._check(batch, deadline)

    def _flush(self, batch: Sequence[Outgoing], deadline: float) -> None:
        wait_s = FIRST_WAIT_S
        while left := self._flushed(batch, min(wait_s, max(0.0, deadline - time.monotonic()))):
            self._check(batch, deadline)
            log.warning("produce_waits", topic=batch[0].topic, records=left, reason=self._last_error)
            self._metrics.add("produce_waits", 1, topic=batch[0].topic)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
        self._check(batch, None)

    def _flushed(self, batch: Sequence[Outgoing], wait_s: float) -> int:
        """How many records are unconfirmed after the time."""
        try:
            left: int = self._kafka.flush(wait_s)
        except (KafkaException, SystemError) as error:
            # A refused message is fatal to a producer without gaps, and the client breaks off its own call for it.
            why = self._last_error or str(error)
            raise self._failure or DeliveryFailed(f"topic {batch[-1].topic} refused a message: {why}") from error
        return left

    def _check(self, batch: Sequence[Outgoing], deadline: float | None) -> None:
        if self._failure is not None:
            raise self._failure
        if deadline is not None and time.monotonic() >= deadline:
            detail = f" ({self._last_error})" if self._last_error else ""
            raise BrokerUnavailable(
                f"no broker at {self._settings.bootstrap_servers} confirmed {len(batch)} records for {batch[0].topic}"
                f" within {self._give_up_after_s:g} s{detail}; start it or mend bootstrap_servers"
            )

    def _failed(self, error: Any, message: Any) -> None:
        self._last_error = error.str()
        self._failure = self._failure or refusal(error, message.topic())

    def _note(self, error: Any) -> None:
        self._last_error = error.str()
