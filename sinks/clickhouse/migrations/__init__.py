"""Numbered steps from an empty database to the tables of `sinks.tables`: one file each, never changed once released.

A step is a list of statements that may run twice, each ended by a semicolon before an empty line. Names in braces are
filled in: {database}, {on_cluster}, {engine}, {aggregating_engine}, {deduplication_window}. Pure text.

No table has a PARTITION BY: a block that spans several ClickHouse partitions is not atomic. Every table of rows has
the constraint `fence`, and the ledger too: the server itself refuses what comes under a lease that another sink has
superseded. The ledger's column and constraint come in one statement: nothing is written under a lease and unfenced. The
ledger and the leases carry no TTL.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sinks.clickhouse.ledger import LEASES, MARKS, SOURCE_MARKS
from sinks.clickhouse.settings import TableSettings
from sinks.clickhouse.views import view_statements
from sinks.tables import tables

FOLDER = Path(__file__).parent
RECORD = "migrations"
"""The table that records them."""

_FILE = re.compile(r"(\d{4})_(\w+)\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step; `text` as it stands in its file."""

    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """Of the text, whatever it is filled with."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]

    def statements(self, settings: TableSettings) -> tuple[str, ...]:
        """The statements for this server or cluster, in order."""
        filled = self.text
        for name, value in _values(settings).items():
            filled = filled.replace(f"{{{name}}}", value)
        return tuple(part.strip().removesuffix(";") for part in filled.split(";\n\n") if part.strip())


@cache
def migrations() -> tuple[Migration, ...]:
    """All steps, from number 1 on without a gap."""
    files = sorted(
        (int(match[1]), match[2], file) for file in FOLDER.iterdir() if (match := _FILE.fullmatch(file.name))
    )
    return tuple(Migration(number, name, file.read_text(encoding="utf-8")) for number, name, file in files)


def create_record(settings: TableSettings) -> tuple[str, ...]:
    """What must be there before the first step: the database, and the table that records the steps.

    On a cluster that table is one for all shards, so that every node knows the same.
    """
    path = settings.replica_path.replace("{shard}", "all")
    engine = f"ReplicatedMergeTree('{path}', '{{shard}}-{{replica}}')" if settings.cluster else "MergeTree()"
    table = (
        f"CREATE TABLE IF NOT EXISTS {settings.database}.{RECORD}{settings.on_cluster} (number UInt32, name String,"
        " checksum String, statement UInt32 COMMENT 'From 0.', statements UInt32, applied_at DateTime64(6, 'UTC'))\n"
        f"ENGINE = {engine} ORDER BY (number, statement)\n"
        "SETTINGS fsync_after_insert = 1, fsync_part_directory = 1\n"
        "COMMENT 'Which statement of which migration has been executed; written by still init.'"
    )
    return f"CREATE DATABASE IF NOT EXISTS {settings.database}{settings.on_cluster}", table


def repeatable(settings: TableSettings) -> Iterator[str]:
    """What follows the last step, every time, for it depends on the settings and this version: room, TTLs and views."""
    for name in (LEASES, MARKS, SOURCE_MARKS, *(table.name for table in tables())):
        yield (
            f"ALTER TABLE {settings.database}.{name}{settings.on_cluster}"
            f" MODIFY SETTING min_free_disk_bytes_to_perform_insert = {settings.spare_bytes}"
        )
    for table in tables():
        if days := settings.ttl_days.get(table.name):
            yield (
                f"ALTER TABLE {settings.database}.{table.name}{settings.on_cluster}"
                f" MODIFY TTL toDateTime({table.ttl_column}) + INTERVAL {days} DAY"
            )
    yield from view_statements(settings.database, settings.on_cluster)


def _values(settings: TableSettings) -> dict[str, str]:
    kind = "replicated" if settings.cluster else "non_replicated"
    return {
        # First: the replica path of an engine holds {database} too, and there it is ClickHouse's own macro.
        "database": settings.database,
        "on_cluster": settings.on_cluster,
        "engine": _engine("MergeTree", settings),
        "aggregating_engine": _engine("AggregatingMergeTree", settings),
        "deduplication_window": f"{kind}_deduplication_window = {settings.deduplication_window}",
    }


def _engine(name: str, settings: TableSettings) -> str:
    return f"Replicated{name}('{settings.replica_path}', '{{replica}}')" if settings.cluster else f"{name}()"
