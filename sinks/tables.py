"""Which topic lands in which table, and what the columns are: derived from the Avro schemas, plus provenance.

Pure data, shared by the decoder, the memory twin and the test of the migrations, so that they cannot drift apart.
Raw events and dead letters give up everything but their envelope here: no message text, no plain customer id.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from schemas import catalog
from schemas.records import ConversationEvent, DeadLetter

MICROSECONDS = "DateTime64(6, 'UTC')"
LOW = "LowCardinality(String)"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: ClickHouse type and comment; `codec` is its compression, None = the server's default."""

    name: str
    type: str
    comment: str
    codec: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """One table and the topic that fills it.

    Attributes:
        plain: columns that carry an Avro field of the same name unchanged.
        made: columns that the decoder computes.
        key: columns that identify a record (of the raw events: a replayed one) whatever its place in the topic.
        monotone: whether records carry provenance that grows along the topic.
        ttl_column: the time that a TTL counts from.
    """

    name: str
    topic: str
    comment: str
    plain: tuple[Column, ...]
    made: tuple[Column, ...]
    order_by: tuple[str, ...]
    key: tuple[str, ...] = ()
    monotone: bool = False
    indexes: tuple[str, ...] = ()
    ttl_column: str = "_ingested_at"

    @property
    def columns(self) -> tuple[Column, ...]:
        """All columns in the order of a row's values."""
        return self.plain + self.made + (SOURCE if self.monotone else ()) + POSITION

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(column.name for column in self.columns)


POSITION = (
    Column("_topic", LOW, "Topic that the sink read this row from, without prefix."),
    Column("_partition", "Int32", "Partition of that topic."),
    Column("_offset", "Int64", "Offset in that partition: the row's identity, once per cluster.", "Delta, ZSTD"),
    Column("_cluster", LOW, "Broker cluster id; a memory-only broker gets a new one at each start."),
    Column("_logged_at", MICROSECONDS, "Kafka timestamp of the record.", "Delta, ZSTD"),
    Column("_ingested_at", MICROSECONDS, "When the sink built the block of this row.", "Delta, ZSTD"),
    Column("_lease", LOW, "Lease under which the sink wrote this row; a superseded lease cannot write."),
)

SOURCE = (
    Column("src_cluster", LOW, "Cluster of the root record that caused this one."),
    Column("src_topic", LOW, "Topic of the root record, or labels:<sha256> for an imported file."),
    Column("src_partition", "Int32", "Partition of the root record."),
    Column("src_offset", "Int64", "Offset of the root record, or the line of a file.", "Delta, ZSTD"),
    Column("src_index", "Int32", "Position among the records that the root yields."),
    Column("src_previous_offset", "Nullable(Int64)", "Root offset of the record before; null = first of a session."),
    Column("attempt", "Int32", "0 at first; raised by each replay from the dead letters."),
)
SOURCE_KEY = ("src_cluster", "src_topic", "src_partition", "src_offset", "src_index")

_LOW_CARDINALITY = frozenset(
    [
        "tenant",
        "agent",
        "variant",
        "redactor",
        "scorer",
        "decomposer",
        "label_set",
        "label_source",
        "label",
        "language",
        "bucket",
        "base_model",
        "base_revision",
        "stage",
        "reason",
        "cluster_id",
        "topic",
        "batch",
        "run_id",
    ]
)
_RECORDS_INSIDE = frozenset(
    {"Provenance", "Usage", "Feedback", "Outcome", "HeldEvent", "Artifact", "Metric", "Gate", "Routing"}
)
"""Records that only stand in others: the schemas name them where they come again."""


def _avro_columns(record: str, leave_out: frozenset[str] = frozenset()) -> tuple[Column, ...]:
    fields = catalog.newest_schema(record)["fields"]
    return tuple(_column(field) for field in fields if field["name"] not in leave_out | {"provenance"})


def _column(field: dict[str, Any]) -> Column:
    name, type_, doc = field["name"], field["type"], field["doc"]
    text = "Nullable(String)" if isinstance(type_, list) else "String"
    if field.get("contentType") == "application/json":
        return Column(name, text, doc, "ZSTD(3)")
    if is_nested(type_):
        return Column(name, text, f"{doc} (JSON text)", "ZSTD(3)")
    return Column(name, _clickhouse_type(name, type_), doc)


def is_nested(type_: Any) -> bool:
    """Whether an Avro type is a record or a list of records: such a field lands as JSON text."""
    if isinstance(type_, list):
        return any(is_nested(branch) for branch in type_)
    if isinstance(type_, dict):
        return type_["type"] == "record" or (type_["type"] == "array" and is_nested(type_["items"]))
    return isinstance(type_, str) and type_.startswith("stillstream.") and type_.rpartition(".")[2] in _RECORDS_INSIDE


def _clickhouse_type(name: str, type_: Any) -> str:
    if isinstance(type_, list):
        inner = _clickhouse_type(name, next(branch for branch in type_ if branch != "null"))
        return f"LowCardinality(Nullable{inner[14:]})" if inner.startswith("LowCardinality(") else f"Nullable({inner})"
    if isinstance(type_, dict):
        return _composite_type(name, type_)
    if type_ == "long" and name.endswith("_at"):
        return MICROSECONDS
    if type_ == "string" and name in _LOW_CARDINALITY:
        return LOW
    return {"string": "String", "int": "Int32", "long": "Int64", "double": "Float64", "boolean": "Bool"}.get(type_, LOW)


def _composite_type(name: str, type_: dict[str, Any]) -> str:
    if type_["type"] == "array":
        return f"Array({LOW})"
    if type_["type"] == "map":
        return f"Map({LOW}, {_clickhouse_type('', type_['values'])})"
    return LOW if type_["type"] == "enum" else _clickhouse_type(name, type_["type"])


def _envelope(record: str, kept: tuple[str, ...]) -> tuple[Column, ...]:
    return tuple(column for column in _avro_columns(record) if column.name in kept)


def _refusable(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """The same columns, nullable: bytes that hold no event have an envelope of nulls."""
    return tuple(replace(column, type=_nullable(column.type)) for column in columns)


def _nullable(type_: str) -> str:
    if "Nullable" in type_:
        return type_
    return "LowCardinality(Nullable(String))" if type_ == LOW else f"Nullable({type_})"


_EVENT = ("event_id", "conversation_id", "sequence", "occurred_at", "started_at", "kind", "tenant", "agent", "variant")
_LETTER = ("dead_letter_id", "stage", "reason", "cluster_id", "topic", "partition", "offset", "attempt", "failed_at")
_SIZES = (
    Column("value_sha256", "Nullable(String)", "sha256 of the bytes as they came; null = there were none."),
    Column("value_bytes", "Int64", "Size of the bytes as they came."),
)


@cache
def tables() -> tuple[Table, ...]:
    """All tables that a topic fills."""
    return (_conversation_events(), _conversations(), _scores(), _examples(), _model_events(), _dead_letters())


def by_topic() -> dict[str, Table]:
    """The table of each topic that the sink reads."""
    return {table.topic: table for table in tables()}


def table(name: str) -> Table:
    """The table of this name."""
    return next(t for t in tables() if t.name == name)


def _conversation_events() -> Table:
    return Table(
        name="conversation_events",
        topic="conversation.events",
        comment="Envelope of every published event, once per log position; what was said stays in Kafka.",
        plain=_refusable(_envelope(ConversationEvent.__name__, _EVENT)),
        made=(
            Column("customer_hash", "Nullable(String)", "Keyed hash of the customer."),
            Column("messages", "Nullable(Int32)", "How many chat messages it carried."),
            Column("refused", "LowCardinality(Nullable(String))", "Why these bytes are no event; null = they are one."),
            Column("replay_of", "Nullable(String)", "Dead letter that this record replays; null = published directly."),
            *_SIZES,
        ),
        order_by=("_cluster", "_partition", "_offset"),
        key=("replay_of",),
        indexes=("INDEX by_conversation conversation_id TYPE bloom_filter GRANULARITY 4",),
    )


def _conversations() -> Table:
    return Table(
        name="conversations",
        topic="conversations",
        comment="Whole, redacted conversations, every revision; see the view newest_conversations.",
        plain=_avro_columns("Conversation"),
        made=(
            Column("model", "LowCardinality(Nullable(String))", "Model that answered, or several joined by +."),
            Column("success", "Nullable(Bool)", "Outcome: did it succeed; null = not reported."),
            Column("reward", "Nullable(Float64)", "Outcome: reward; null = not reported."),
            Column("cost_usd", "Nullable(Float64)", "Cost of the contact; null unless all of it is known."),
            Column("prompt_tokens", "Nullable(Int64)", "Prompt tokens of the contact; null unless all are known."),
            Column("completion_tokens", "Nullable(Int64)", "Completion tokens; null unless all are known."),
            Column("cached_tokens", "Nullable(Int64)", "Cached prompt tokens; null unless all are known."),
            Column("model_ms", "Nullable(Float64)", "Time spent in model calls, ms; null unless all is known."),
            Column("duration_ms", "Nullable(Float64)", "From the first to the last known time, ms."),
        ),
        order_by=("conversation_id", "revision"),
        key=SOURCE_KEY,
        monotone=True,
        indexes=_SOURCE_INDEX,
    )


_SOURCE_INDEX = ("INDEX by_source src_offset TYPE minmax GRANULARITY 1", "INDEX by_offset _offset TYPE minmax")


def _scores() -> Table:
    return Table(
        name="scores",
        topic="scores",
        comment="Deterministic quality of every conversation revision.",
        plain=_avro_columns("Score"),
        made=(),
        order_by=("conversation_id", "revision"),
        key=SOURCE_KEY,
        monotone=True,
        indexes=_SOURCE_INDEX,
    )


def _examples() -> Table:
    return Table(
        name="examples",
        topic="examples",
        comment="Training examples, admitted or not, with the reasons; see the view current_examples.",
        plain=_avro_columns("Example"),
        made=(),
        order_by=("task", "label_set", "split", "conversation_id", "revision", "turn"),
        key=SOURCE_KEY,
        monotone=True,
        indexes=_SOURCE_INDEX,
    )


def _model_events() -> Table:
    return Table(
        name="model_events",
        topic="model.events",
        comment="What happened to each adapter version; see the views adapter_versions and rounds.",
        plain=_avro_columns("ModelEvent"),
        made=(
            Column("verdict", "LowCardinality(Nullable(String))", "The gate's verdict; null where none was asked."),
            Column("artifact_uri", "Nullable(String)", "Where the adapter lies; null where none was made."),
        ),
        order_by=("task", "number", "occurred_at"),
        key=("event_id",),
    )


def _dead_letters() -> Table:
    return Table(
        name="dead_letters",
        topic="dead.letters",
        comment="Envelope of every record that a stage could not take; the bytes stay in the topic dead.letters.",
        plain=_envelope(DeadLetter.__name__, _LETTER),
        made=_SIZES,
        order_by=("stage", "failed_at"),
        key=("dead_letter_id",),
        indexes=("INDEX by_id dead_letter_id TYPE bloom_filter GRANULARITY 1",),
    )
