"""Reads assembly state back from its topic when a partition is assigned."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from schemas.errors import Undecodable
from streams.assembly_keys import Fold, Held
from streams.errors import StateUnreadable

log = structlog.get_logger()

POLL_S = 0.05


class AssemblyStore:
    """Reads partitions of the state topic (named with its prefix)."""

    def __init__(
        self, bootstrap_servers: str, topic: str, options: Mapping[str, str], patience_s: float = 60.0
    ) -> None:
        self._topic = topic
        self._patience_s = patience_s
        self._options: dict[str, Any] = {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "still.worker.state",  # required by the client; nothing is committed
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            **options,
        }

    def load(self, partition: int, cluster_id: str) -> Held:
        """What the log holds of a partition, up to the end that it has now.

        Raises:
            StateUnreadable: the end is not reached in time, or a record is no state.
        """
        consumer = Consumer(self._options)
        try:
            return self._fold(consumer, TopicPartition(self._topic, partition, OFFSET_BEGINNING), cluster_id)
        except KafkaException as error:
            raise StateUnreadable(f"{self._topic}[{partition}]: {error.args[0].str()}; is the broker well?") from error
        finally:
            consumer.close()

    def _fold(self, consumer: Any, where: TopicPartition, cluster_id: str) -> Held:
        first, end = consumer.get_watermark_offsets(where, timeout=self._patience_s)
        fold = Fold(cluster_id)
        if first < end:
            consumer.assign([where])
        reached, deadline = first, time.monotonic() + self._patience_s
        while reached < end:
            for message in consumer.consume(1000, POLL_S):
                if message.error() is not None:
                    raise KafkaException(message.error())
                reached, deadline = message.offset() + 1, time.monotonic() + self._patience_s
                self._apply(fold, message)
            # Asked for the end, Tansu names the first offset of its last batch; what a fetch brings is right.
            end = max(end, consumer.get_watermark_offsets(where, cached=True)[1])
            if time.monotonic() > deadline:
                raise StateUnreadable(f"{self._topic}[{where.partition}] stands still at offset {reached} of {end}")
        held = fold.held()
        log.info("state_loaded", topic=self._topic, partition=where.partition, end=end, mark=held.mark,
                 conversations=len(held.found))  # fmt: skip
        return held

    def _apply(self, fold: Fold, message: Any) -> None:
        try:
            fold.apply(message.key(), message.value())
        except Undecodable as error:
            place = f"{self._topic}[{message.partition()}] offset {message.offset()}"
            raise StateUnreadable(f"{place}: {error}; no other writer may use this topic") from error
