"""Assembly state on its own topic: what to write after a chunk, and how a partition is read back on assignment.

Writers confirm state after the conversations it speaks of and before they acknowledge the source. Each state has a key
of its own, conversation and source offset, and is tombstoned only when a newer one of its conversation is confirmed. So
whatever a worker that had lost the partition writes late, the newest state stays, also through compaction; a reader
takes the one with the highest offset. State of another cluster id belongs to a log that is gone and is passed over.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

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


class Found(NamedTuple):
    """What the log holds of one conversation: its newest state, and the keys of all its states, the newest last."""

    state: AssemblyState
    keys: tuple[bytes, ...]


def key_of(state: AssemblyState) -> bytes:
    """Unique to conversation and offset: no id has the byte FF, which UTF-8 never uses.

    States of before 2026-11-24 have the conversation id alone; readers take any key, for they look at the state itself.
    """
    return state.conversation_id.encode() + b"\xff%d" % state.offset


class Fold:
    """The state topic of one partition, record after record."""

    def __init__(self, cluster_id: str) -> None:
        self._cluster_id = cluster_id
        self._by_key: dict[bytes, AssemblyState] = {}

    def apply(self, key: bytes, value: bytes | None) -> None:
        """Take the next record.

        Raises:
            Undecodable: it is no state.
        """
        before = self._by_key.pop(key, None)
        state = None if value is None else codec.decode(value, AssemblyState)
        if state is None or state.cluster_id != self._cluster_id:
            return
        # Only a key of an earlier release has several offsets.
        self._by_key[key] = before if before is not None and before.offset > state.offset else state

    def found(self) -> list[Found]:
        """What is there now of each conversation; of states at one offset (whole, then let go) the last written."""
        of: dict[str, list[bytes]] = {}
        for key, state in sorted(self._by_key.items(), key=lambda item: item[1].offset):
            of.setdefault(state.conversation_id, []).append(key)
        return [Found(self._by_key[keys[-1]], tuple(keys)) for keys in of.values()]


class Keys:
    """Which keys a partition's states have on the log, and which of them newer states have made void."""

    def __init__(self, found: Iterable[Found] = ()) -> None:
        self._newest: dict[str, bytes] = {}
        self._void: list[bytes] = []
        for state, (*older, newest) in found:
            self._newest[state.conversation_id] = newest
            self._void += older

    def outgoing(self, changes: Changes, topic: str, partition: int) -> list[Outgoing]:
        """The records that make changes durable, behind tombstones of what the changes before them made void.

        They must be confirmed before the next call.
        """
        records: list[tuple[bytes, bytes | None]] = [(key, None) for key in self._void]
        self._void = []
        for id_, state in changes.items():
            before = self._newest.pop(id_, None)
            if state is not None:
                self._newest[id_] = key_of(state)
                records.append((self._newest[id_], codec.encode(state)))
                self._void += [before] if before not in (None, self._newest[id_]) else []
            elif before is not None:
                records.append((before, None))
        return [Outgoing(topic, partition, key, value) for key, value in records]


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

    def load(self, partition: int, cluster_id: str) -> list[Found]:
        """What there is of each conversation, up to the end that the partition has now.

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

    def _fold(self, consumer: Any, where: TopicPartition, cluster_id: str) -> list[Found]:
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
        found = fold.found()
        log.info("state_loaded", topic=self._topic, partition=where.partition, end=end, conversations=len(found))
        return found

    def _apply(self, fold: Fold, message: Any) -> None:
        try:
            fold.apply(message.key(), message.value())
        except Undecodable as error:
            place = f"{self._topic}[{message.partition()}] offset {message.offset()}"
            raise StateUnreadable(f"{place}: {error}; no other writer may use this topic") from error
