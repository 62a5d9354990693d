"""The statements that make the tables at once: generated from `sinks.tables`, pure text, no server needed.

`still init` comes to the same tables by numbered steps (`migrations`, compared by a test); of this file it takes what
is set anew every time.

No table has a PARTITION BY: a block that spans several ClickHouse partitions is not atomic. Every table of rows has
the constraint `fence`: the server itself refuses rows under a lease that another sink has superseded. The ledger and
the leases carry no TTL.
"""

from __future__ import annotations

from collections.abc import Iterator

from sinks.clickhouse.settings import TableSettings
from sinks.clickhouse.views import view_statements
from sinks.tables import Column, Table, tables

LEASES = "sink_leases"
CURRENT_LEASES = "sink_leases_current"
MARKS = "sink_marks"
SOURCE_MARKS = "sink_source_marks"


def statements(settings: TableSettings) -> Iterator[str]:
    """Every statement of an empty database, in order; each one is idempotent."""
    yield f"CREATE DATABASE IF NOT EXISTS {settings.database}{_on_cluster(settings)}"
    yield _ledger_table(settings, LEASES, "Who may write a partition: the newest epoch wins.", _LEASE_COLUMNS)
    yield _current_leases(settings)
    yield _ledger_table(settings, MARKS, "How far each partition has landed without a gap.", _MARK_COLUMNS)
    yield _ledger_table(settings, SOURCE_MARKS, "How far each root log has landed per partition.", _SOURCE_COLUMNS)
    for table in tables():
        yield create_table(table, settings)
        yield from add_columns(table, settings)
    yield from repeatable(settings)


def repeatable(settings: TableSettings) -> Iterator[str]:
    """What follows the settings and this version, not a number: TTLs and views."""
    for table in tables():
        if table.name in settings.ttl_days:
            where = f"{settings.database}.{table.name}{_on_cluster(settings)}"
            yield f"ALTER TABLE {where} MODIFY TTL {_ttl_expression(table, settings)}"
    yield from view_statements(settings.database, _on_cluster(settings))


def create_table(table: Table, settings: TableSettings) -> str:
    """CREATE TABLE of one table of rows."""
    lines = [_column(column) for column in table.columns]
    lines += [_index(index) for index in table.indexes]
    lines.append(f"CONSTRAINT fence CHECK dictHas('{settings.database}.{CURRENT_LEASES}', _lease)")
    body = ",\n    ".join(lines)
    return (
        f"CREATE TABLE IF NOT EXISTS {settings.database}.{table.name}{_on_cluster(settings)} (\n    {body}\n)\n"
        f"ENGINE = {_engine('MergeTree', settings)}\n"
        f"ORDER BY ({', '.join(table.order_by)})\n"
        f"{_ttl(table, settings)}"
        f"SETTINGS {_settings(settings)}\n"
        f"COMMENT {quote(table.comment)}"
    )


def add_columns(table: Table, settings: TableSettings) -> Iterator[str]:
    """ALTERs that bring an older table up to date: a newer schema only ever adds columns."""
    where = f"{settings.database}.{table.name}{_on_cluster(settings)}"
    added = ", ".join(f"ADD COLUMN IF NOT EXISTS {_column(column)}" for column in table.columns)
    yield f"ALTER TABLE {where} {added}"


def quote(text: str) -> str:
    """A string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _column(column: Column) -> str:
    codec = f" CODEC({column.codec})" if column.codec else ""
    return f"`{column.name}` {column.type} COMMENT {quote(column.comment)}{codec}"


def _index(index: str) -> str:
    return index if "GRANULARITY" in index else f"{index} GRANULARITY 1"


def _ttl(table: Table, settings: TableSettings) -> str:
    return f"TTL {_ttl_expression(table, settings)}\n" if table.name in settings.ttl_days else ""


def _ttl_expression(table: Table, settings: TableSettings) -> str:
    return f"toDateTime({table.ttl_column}) + INTERVAL {settings.ttl_days[table.name]} DAY"


def _settings(settings: TableSettings) -> str:
    replicated = "replicated" if settings.cluster else "non_replicated"
    window = f"{replicated}_deduplication_window = {settings.deduplication_window}"
    # Without fsync an acknowledged block survives kill -9 but not a power cut.
    return f"{window}, fsync_after_insert = 1, fsync_part_directory = 1"


def _engine(engine: str, settings: TableSettings) -> str:
    if settings.cluster is None:
        return f"{engine}()"
    return f"Replicated{engine}({quote(settings.replica_path)}, '{{replica}}')"


def _on_cluster(settings: TableSettings) -> str:
    return f" ON CLUSTER {settings.cluster}" if settings.cluster else ""


_LEASE_COLUMNS = (
    ("cluster String, topic String, partition Int32, epoch UInt64, lease String", "taken_at DateTime64(6, 'UTC')"),
    ("cluster, topic, partition, epoch", "MergeTree"),
)
_MARK_COLUMNS = (
    ("cluster String, topic String, partition Int32", "last SimpleAggregateFunction(max, Int64)"),
    ("cluster, topic, partition", "AggregatingMergeTree"),
)
_SOURCE_COLUMNS = (
    (
        "topic String, partition Int32, src_cluster String, src_topic String, src_partition Int32",
        "mark SimpleAggregateFunction(max, Tuple(Int64, Int64))",
    ),
    ("topic, partition, src_cluster, src_topic, src_partition", "AggregatingMergeTree"),
)


def _ledger_table(
    settings: TableSettings, name: str, comment: str, shape: tuple[tuple[str, str], tuple[str, str]]
) -> str:
    columns, (order_by, engine) = ", ".join(shape[0]), shape[1]
    return (
        f"CREATE TABLE IF NOT EXISTS {settings.database}.{name}{_on_cluster(settings)} ({columns})\n"
        f"ENGINE = {_engine(engine, settings)} ORDER BY ({order_by})\n"
        f"SETTINGS {_settings(settings)}\nCOMMENT {quote(comment)}"
    )


def _current_leases(settings: TableSettings) -> str:
    """A dictionary without a cache: each look-up asks the table, so that a superseded lease is refused at once."""
    newest = (
        f"SELECT argMax(lease, (epoch, lease)) AS current, 1 AS valid FROM {settings.database}.{LEASES}"
        " GROUP BY cluster, topic, partition"
    )
    return (
        f"CREATE DICTIONARY IF NOT EXISTS {settings.database}.{CURRENT_LEASES}{_on_cluster(settings)}"
        " (current String, valid UInt8)\nPRIMARY KEY current\n"
        f"SOURCE(CLICKHOUSE(QUERY {quote(newest)}))\nLAYOUT(COMPLEX_KEY_DIRECT())\n"
        "COMMENT 'The lease of each partition that may write now.'"
    )
