"""Assembly state on its own topic: what to write after a chunk, and how a partition is read back on assignment.

Writers confirm state after the conversations it speaks of and before they acknowledge the source. A reader takes, of
each conversation, the state with the highest source offset: a worker that had lost the partition may have written an
older one behind it. State of another cluster id belongs to a log that is gone and is passed over.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from schemas import codec
from schemas.errors import Undecodable
from schemas.records import AssemblyState
from streams.deliver import Outgoing
from streams.errors import StateUnreadable
from streams.values import Step

log = structlog.get_logger()

TOPIC = "assembly.state"
POLL_S = 0.05
Changes = dict[str, AssemblyState | None]
"""Newest state by conversation; None = forgotten."""


def changes_of(steps: Iterable[Step]) -> Changes:
    """What a chunk changed, one state a conversation: of several, the last."""
    changes: Changes = {}
    for step in steps:
        for state in (step.state, *step.expired):
            if state is not None:
                changes[state.conversation_id] = state
        changes.update(dict.fromkeys(step.forgotten))
    return changes


def outgoing(changes: Changes, topic: str, partition: int) -> list[Outgoing]:
    """The records that make changes durable."""
    return [
        Outgoing(topic, partition, id_.encode(), None if state is None else codec.encode(state))
        for id_, state in changes.items()
    ]


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

    def load(self, partition: int, cluster_id: str) -> list[AssemblyState]:
        """The newest state of each conversation, up to the end that the partition has now.

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

    def _fold(self, consumer: Any, where: TopicPartition, cluster_id: str) -> list[AssemblyState]:
        first, end = consumer.get_watermark_offsets(where, timeout=self._patience_s)
        newest: dict[bytes, AssemblyState] = {}
        if first < end:
            consumer.assign([where])
        reached, deadline = first, time.monotonic() + self._patience_s
        while reached < end:
            for message in consumer.consume(1000, POLL_S):
                if message.error() is not None:
                    raise KafkaException(message.error())
                reached, deadline = message.offset() + 1, time.monotonic() + self._patience_s
                self._apply(newest, message, cluster_id)
            # Asked for the end, Tansu names the first offset of its last batch; what a fetch brings is right.
            end = max(end, consumer.get_watermark_offsets(where, cached=True)[1])
            if time.monotonic() > deadline:
                raise StateUnreadable(f"{self._topic}[{where.partition}] stands still at offset {reached} of {end}")
        log.info("state_loaded", topic=self._topic, partition=where.partition, end=end, conversations=len(newest))
        return list(newest.values())

    def _apply(self, newest: dict[bytes, AssemblyState], message: Any, cluster_id: str) -> None:
        key, value = message.key(), message.value()
        if value is None:
            newest.pop(key, None)
            return
        try:
            state = codec.decode(value, AssemblyState)
        except Undecodable as error:
            place = f"{self._topic}[{message.partition()}] offset {message.offset()}"
            raise StateUnreadable(f"{place}: {error}; no other writer may use this topic") from error
        if state.cluster_id == cluster_id and (key not in newest or newest[key].offset <= state.offset):
            newest[key] = state
