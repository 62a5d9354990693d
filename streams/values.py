"""The values that pass between the steps of the stream and the shell that runs them.

Nothing here computes or does I/O. A record that a step cannot take is a `Rejected`, never an exception.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, NamedTuple

from schemas.records import (
    AssemblyState,
    ClosedBy,
    Example,
    Feedback,
    Json,
    Message,
    Messages,
    Outcome,
    Provenance,
    Score,
    Task,
    Tools,
    Usage,
)

Reason = Literal[
    "no_value",  # a tombstone where an event must be
    "too_large",  # larger than an event may be
    "undecodable",  # no record of ours in these bytes
    "unknown_schema",  # a well-formed header with a schema id that this version does not know
    "invalid",  # an event whose values break the rules of the edge
    "too_deep",  # JSON nested deeper than any chat needs
    "wrong_key",  # the Kafka key is not the conversation_id: its events would meet in no partition
    "conflicting_event",  # an event_id seen before, with other content
    "conversation_too_large",  # what is held of the conversation would not fit into a Kafka message
    "assembly_full",  # open conversations fill the partition's memory
    "too_late",  # the conversation was closed and its events have been let go
    "failed",  # a step raised over it: a fault of ours, which would stop the stage at every start
]
"""Why a record went to the dead letters; a closed list, so that counts per reason mean something."""

Skipped = Literal["empty_conversation", "stale_close"]
"""Why a good event yielded nothing: a contact without a word, or an inactivity close that activity overtook."""


_NO_HEADERS: Mapping[str, bytes] = MappingProxyType({})


class Arrived(NamedTuple):
    """A Kafka message as consumed; times in microseconds since the epoch. A tuple: nothing is made as often."""

    offset: int
    timestamp_us: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes] = _NO_HEADERS


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that a stage cannot take, why, and what was wrong with which value."""

    stage: str
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A whole conversation before redaction: it holds personal data and never leaves the process."""

    conversation_id: str
    revision: int
    provenance: Provenance
    messages: Messages
    closed_by: ClosedBy
    events: int
    tenant: str | None = None
    customer_id: str | None = None
    agent: str | None = None
    variant: str | None = None
    started_at: int | None = None
    ended_at: int | None = None
    tools: Tools | None = None
    usage: tuple[Usage, ...] = ()
    feedback: tuple[Feedback, ...] = ()
    outcome: Outcome | None = None
    labels: list[dict[str, Json]] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """What one arrival did to the assembly of its partition.

    The shell must confirm `draft` (redacted) before it writes `state` and `expired`, write a tombstone for each id in
    `forgotten`, and acknowledge the arrival only after all of them are durable.
    """

    draft: Draft | None = None
    state: AssemblyState | None = None
    rejected: Rejected | None = None
    duplicate: bool = False
    skipped: Skipped | None = None
    expired: tuple[AssemblyState, ...] = ()
    forgotten: tuple[str, ...] = ()


class Cut(NamedTuple):
    """An example as one task's rules cut it, before bucket, split and admission; `turn` indexes the conversation."""

    task: Task
    turn: int
    input: list[Message]
    target: Json
    label: str
    label_set: str
    label_source: str
    tools: Tools | None = None
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Distilled:
    """What one conversation yields."""

    score: Score
    examples: tuple[Example, ...]
