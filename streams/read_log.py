"""Reads partitions of any topic up to the end that they have now: for commands that look, not for what follows a log.

The end is read off fetches: asked for it, the embedded broker names the start of the last batch.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from streams.errors import BrokerUnavailable, WrongPartitions

PATIENCE_S = 30.0
FETCH = 1000
_EOF = KafkaError._PARTITION_EOF  # noqa: SLF001 - librdkafka's public name for it


class LogReader:
    """A consumer without a group of its own; a context manager.

    Raises, wherever it reads:
        BrokerUnavailable: nobody answers, or a partition stands still.
    """

    def __init__(self, bootstrap_servers: str, options: Mapping[str, str] | None = None) -> None:
        self._servers = bootstrap_servers
        self._consumer: Any = Consumer(
            {
                "bootstrap.servers": bootstrap_servers,
                "group.id": "still.read",  # required by the client; nothing is committed
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "log_level": 0,
                **(options or {}),
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._consumer.close()

    def partitions(self, topic: str) -> list[int]:
        """The numbers of a topic's partitions.

        Raises:
            WrongPartitions: there is no such topic.
        """
        try:
            topics = self._consumer.list_topics(timeout=PATIENCE_S).topics
        except KafkaException as error:
            raise self._unavailable(error) from error
        if topic not in topics:
            raise WrongPartitions(f"topic {topic} is not on {self._servers}; run `still init` first")
        return sorted(topics[topic].partitions)

    def since(self, topic: str, partition: int, time_ms: int) -> int | None:
        """An offset before which nothing is as new as `time_ms`; None where nothing is."""
        try:
            (found,) = self._consumer.offsets_for_times([TopicPartition(topic, partition, time_ms)], timeout=PATIENCE_S)
        except KafkaException as error:
            raise self._unavailable(error) from error
        return found.offset if found.offset >= 0 else None

    def read(self, topic: str, partition: int, first: int = 0) -> Iterator[Any]:
        """The messages from offset `first` (or the first there is) to the end."""
        self._consumer.assign([TopicPartition(topic, partition, first)])
        deadline = time.monotonic() + PATIENCE_S
        try:
            while True:
                for message in self._consumer.consume(FETCH, 0.5):
                    deadline = time.monotonic() + PATIENCE_S
                    if (error := message.error()) is None:
                        yield message
                    elif error.code() == _EOF:
                        return
                if time.monotonic() > deadline:
                    raise BrokerUnavailable(f"{topic}[{partition}] at {self._servers} stands still; see to it")
        finally:
            with suppress(KafkaException):
                self._consumer.unassign()

    def _unavailable(self, error: KafkaException) -> BrokerUnavailable:
        return BrokerUnavailable(f"no broker at {self._servers} answers: {error.args[0].str()}; start it")
