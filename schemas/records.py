"""The records as frozen values, one class per Avro schema, field for field.

Nothing here validates or does I/O: `codec` does both. Times are microseconds since the epoch, UTC.
Absent is None, never 0. Fields typed `Messages`, `Tools` or `Json` travel as JSON text inside Avro.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Json = Any
"""A value as JSON knows it."""

Message = dict[str, Any]
"""An OpenAI chat message, verbatim: role, content, tool_calls, tool_call_id, name."""

Messages = list[Message]
Tools = list[dict[str, Any]]
"""OpenAI tool definitions: {"type": "function", "function": {"name", "description", "parameters"}}."""

Task = Literal["intent", "entities", "response", "tools", "safety"]
TASKS: tuple[Task, ...] = ("intent", "entities", "response", "tools", "safety")

EventKind = Literal["turn", "feedback", "outcome", "closed", "conversation"]
FeedbackKind = Literal["boolean", "float", "comment", "demonstration"]
ClosedBy = Literal["closed", "conversation", "inactivity"]
AssemblyStatus = Literal["open", "closed"]
Difficulty = Literal["easy", "medium", "hard"]
Origin = Literal["production", "synthetic", "labelled"]
Split = Literal["train", "development", "benchmark"]
Head = Literal["classify", "tag", "generate"]
Verdict = Literal["pass", "fail", "inconclusive"]
ModelEventKind = Literal[
    "trained", "evaluated", "rejected", "candidate", "shadow", "canary", "promoted", "rolled_back", "retired", "tainted"
]


@dataclass(frozen=True, slots=True)
class Provenance:
    """The position in a source log that caused a record; replaying the source makes the same one."""

    cluster_id: str
    topic: str
    partition: int
    offset: int
    index: int = 0
    previous_offset: int | None = None
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """What a model call (or, with message None, the whole contact) consumed."""

    message: int | None = None
    model: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    cost_usd: float | None = None
    latency_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a customer or a person said about the conversation, or about one message of it."""

    name: str
    kind: FeedbackKind
    value: bool | float | str
    message: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the contact ended."""

    success: bool | None = None
    reward: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ConversationEvent:
    """What an agent service publishes about one customer contact."""

    event_id: str
    conversation_id: str
    kind: EventKind
    sequence: int | None = None
    occurred_at: int | None = None
    started_at: int | None = None
    tenant: str | None = None
    customer_id: str | None = None
    agent: str | None = None
    variant: str | None = None
    messages: Messages = field(default_factory=list)
    tools: Tools | None = None
    usage: tuple[Usage, ...] = ()
    feedback: Feedback | None = None
    outcome: Outcome | None = None
    labels: list[dict[str, Any]] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Conversation:
    """One whole customer contact, personal data replaced by surrogates."""

    conversation_id: str
    revision: int
    provenance: Provenance
    messages: Messages
    closed_by: ClosedBy
    events: int
    redactor: str
    redactions: dict[str, int] = field(default_factory=dict)
    tenant: str | None = None
    customer_hash: str | None = None
    agent: str | None = None
    variant: str | None = None
    started_at: int | None = None
    ended_at: int | None = None
    tools: Tools | None = None
    usage: tuple[Usage, ...] = ()
    feedback: tuple[Feedback, ...] = ()
    outcome: Outcome | None = None
    labels: list[dict[str, Any]] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HeldEvent:
    """One event as it came: its source offset, its Kafka timestamp (microseconds) and its wire-format bytes."""

    offset: int
    timestamp: int
    value: bytes


@dataclass(frozen=True, slots=True)
class AssemblyState:
    """What assemble holds of one conversation."""

    conversation_id: str
    cluster_id: str
    partition: int
    offset: int
    status: AssemblyStatus
    revision: int
    last_activity_at: int
    events: tuple[HeldEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """Cheap, deterministic quality of one conversation, from 0 to 1; None = too little is known."""

    conversation_id: str
    revision: int
    provenance: Provenance
    scorer: str
    quality: float | None
    signals: dict[str, float | None]
    failed: bool | None = None
    occurred_at: int | None = None
    tenant: str | None = None
    variant: str | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """One (input, target) pair for one task, cut from a conversation or labelled by somebody."""

    example_id: str
    task: Task
    conversation_id: str
    revision: int
    turn: int
    provenance: Provenance
    input: Messages
    target: Json
    label_set: str
    label_source: str
    label: str
    difficulty: Difficulty
    language: str
    origin: Origin
    bucket: str
    split: Split
    admitted: bool
    reasons: tuple[str, ...]
    decomposer: str
    text_hash: str
    weight: float = 1.0
    tenant: str | None = None
    customer_hash: str | None = None
    tools: Tools | None = None
    quality: float | None = None
    scorer: str | None = None
    occurred_at: int | None = None


@dataclass(frozen=True, slots=True)
class Artifact:
    """Where an adapter folder lies: fsspec URI, digest over its file digests, size in bytes."""

    uri: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Metric:
    """A measured figure with its 95 % interval."""

    name: str
    subject: str
    on: str
    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate's verdict: which paired test, against whom, how much better, and why in words."""

    verdict: Verdict
    against: str
    test: str
    p_value: float | None
    difference: float | None
    low: float | None
    high: float | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Routing:
    """When to trust an adapter's answer."""

    temperature: float
    threshold: float | None
    alpha: float
    delta: float
    coverage: float | None


@dataclass(frozen=True, slots=True)
class ModelEvent:
    """What happened to one adapter version."""

    event_id: str
    kind: ModelEventKind
    task: Task
    adapter: str
    number: int
    occurred_at: int
    base_model: str
    base_revision: str
    head: Head
    label_set: str
    labels: tuple[str, ...]
    rank: int
    target_modules: tuple[str, ...]
    tokenizer_sha256: str
    batch: str
    run_id: str
    round: int
    artifact: Artifact | None = None
    metrics: tuple[Metric, ...] = ()
    slices: list[dict[str, Any]] = field(default_factory=list)
    gate: Gate | None = None
    routing: Routing | None = None
    lineage: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that a stage could not take, whole, so that it can be replayed."""

    dead_letter_id: str
    stage: str
    reason: str
    detail: str
    cluster_id: str
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    failed_at: int
    headers: dict[str, bytes] = field(default_factory=dict)
    attempt: int = 0


Record = ConversationEvent | Conversation | AssemblyState | Score | Example | ModelEvent | DeadLetter
RECORDS: dict[str, type[Record]] = {
    cls.__name__: cls
    for cls in (ConversationEvent, Conversation, AssemblyState, Score, Example, ModelEvent, DeadLetter)
}
