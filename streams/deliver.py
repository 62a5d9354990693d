"""Put records on the log so that they are there: all sent, all confirmed, again until they are or time is up.

Order within a partition is kept across retries, because nothing is sent behind a batch that is not confirmed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from streams.errors import BrokerUnavailable
from streams.metrics import Metrics
from streams.produce import Producer

log = structlog.get_logger()

FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Outgoing:
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
    """Sends batches for one stage; blocks its thread, never the event loop."""

    def __init__(self, producer: Producer, metrics: Metrics, give_up_after_s: float) -> None:
        self._producer = producer
        self._metrics = metrics
        self._give_up_after_s = give_up_after_s

    def confirm(self, batch: Sequence[Outgoing]) -> None:
        """Return once every record is confirmed by all in-sync replicas.

        Raises:
            BrokerUnavailable: nobody answered for `give_up_after_s`.
            ProduceError: the broker refused a record for good.
        """
        deadline = time.monotonic() + self._give_up_after_s
        wait_s = FIRST_WAIT_S
        while batch and not self._try(batch, last=time.monotonic() + wait_s > deadline):
            time.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _try(self, batch: Sequence[Outgoing], *, last: bool) -> bool:
        try:
            together = self._producer.batch()
            for out in batch:
                together.send(out.topic, out.key, out.value, (), out.partition)
            together.confirm().result()
        except BrokerUnavailable as error:
            if last:
                raise
            log.warning("produce_retry", topic=batch[0].topic, records=len(batch), reason=str(error))
            self._metrics.add("produce_retries", 1, topic=batch[0].topic)
            return False
        for topic in {out.topic for out in batch}:
            self._metrics.add("records_produced", sum(out.topic == topic for out in batch), topic=topic)
        return True
