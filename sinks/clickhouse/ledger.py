"""The ledger and the leases: small tables outside every TTL that say how far each log has landed and who may write.

The ledger only ever follows the table: it is written after the rows, and what it does not know yet is read back from
the rows above its mark. It keeps maxima, so writing it twice or late changes nothing; under a lease that is superseded
or gone it is refused, as rows are.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from sinks.clickhouse.client import Client
from sinks.errors import LeaseLost, Temporary
from sinks.lease import lease_of, see_one_prefix
from sinks.tables import LOW, MICROSECONDS, by_topic
from sinks.values import Mark, Partition, Progress, Source

LEASES = "sink_leases"
MARKS = "sink_marks"
SOURCE_MARKS = "sink_source_marks"
SETTLE_S = 30.0

_MARK = {"cluster": "String", "topic": "String", "partition": "Int32", "last": "Int64", "_lease": LOW}
_SOURCE_MARK = {
    "topic": "String", "partition": "Int32", "src_cluster": "String", "src_topic": "String", "src_partition": "Int32",
    "mark": "Tuple(Int64, Int64)", "_lease": LOW,
}  # fmt: skip
_LEASE = {
    "cluster": "String", "topic": "String", "partition": "Int32", "epoch": "UInt64", "lease": "String",
    "taken_at": MICROSECONDS,
}  # fmt: skip


def read_mark(client: Client, partition: Partition) -> int:
    """The last offset up to which nothing is missing; -1 = the ledger does not know the partition."""
    found = client.columns(
        f"SELECT max(last) FROM {client.database}.{MARKS} WHERE cluster = {{cluster:String}}"
        " AND topic = {topic:String} AND partition = {number:Int32} HAVING count() > 0",
        partition._asdict(),
    ).first
    return int(found[0]) if len(found) else -1


def read_source_marks(client: Client, partition: Partition) -> dict[Source, Mark]:
    """How far each source has landed in this partition number of the topic, over all clusters of the topic."""
    found = client.columns(
        f"SELECT src_cluster, src_topic, src_partition, max(mark) FROM {client.database}.{SOURCE_MARKS}"
        " WHERE topic = {topic:String} AND partition = {number:Int32} GROUP BY ALL",
        {"topic": partition.topic, "number": partition.number},
    )
    return {Source(*source): Mark(*mark) for *source, mark in zip(*found.values, strict=True)}


def read_unwritten_marks(client: Client, table: str, partition: Partition) -> dict[Source, Mark]:
    """How far sources came in other clusters of the topic, by rows above what the ledger knows of those clusters.

    A memory-only broker that died took its topic along, but a file that was imported into it may be imported again.
    """
    found = client.columns(
        "SELECT src_cluster, src_topic, src_partition, max((src_offset, src_index))"
        f" FROM {client.database}.{table} AS t"
        f" LEFT JOIN (SELECT cluster, max(last) AS last, 1 AS known FROM {client.database}.{MARKS}"
        " WHERE topic = {topic:String} AND partition = {number:Int32} GROUP BY cluster) AS m ON m.cluster = t._cluster"
        " WHERE _partition = {number:Int32} AND _cluster != {cluster:String} AND attempt = 0"
        " AND (m.known = 0 OR _offset > m.last) GROUP BY ALL",
        partition._asdict(),
    )
    return {Source(*source): Mark(*mark) for *source, mark in zip(*found.values, strict=True)}


def write_progress(client: Client, progress: Sequence[Progress]) -> None:
    """Write source marks first: a crash in between leaves them at most as far as the rows.

    Raises:
        LeaseLost: one lease is superseded or gone, and ClickHouse refuses the others along with it.
    """
    sources = [
        (one.partition.topic, one.partition.number, *source, tuple(mark), one.lease)
        for one in progress
        for source, mark in one.marks.items()
    ]
    _insert(client, SOURCE_MARKS, _SOURCE_MARK, sources)
    _insert(client, MARKS, _MARK, [(*one.partition, one.last, one.lease) for one in progress])


def take_leases(
    client: Client, partitions: Sequence[Partition], holder: str, topic_prefix: str = ""
) -> dict[Partition, str]:
    """New leases for these partitions; see `sinks.values.Store.take_leases`."""
    newest = _newest(client, partitions)
    see_one_prefix(topic_prefix, {partition: lease for partition, (_, lease) in newest.items()})
    epochs = {partition: epoch for partition, (epoch, _) in newest.items()}
    taken = {p: lease_of(p, epochs.get(p, 0) + 1, holder, topic_prefix) for p in partitions}
    now_us = time.time_ns() // 1000
    rows = [(*p, epochs.get(p, 0) + 1, lease, now_us) for p, lease in taken.items()]
    _insert(client, LEASES, _LEASE, rows)
    for partition, (_, lease) in _newest(client, partitions).items():
        if lease != taken[partition]:
            raise LeaseLost(
                f"{partition.topic}/{partition.number} was taken by {lease!r} at the same time", table=LEASES
            )
    wait_for_running_inserts(client, [table.name for table in by_topic().values()])
    return taken


def _newest(client: Client, partitions: Sequence[Partition]) -> dict[Partition, tuple[int, str]]:
    found = client.columns(
        f"SELECT cluster, topic, partition, max((epoch, lease)) FROM {client.database}.{LEASES}"
        " WHERE cluster IN {clusters:Array(String)} GROUP BY cluster, topic, partition",
        {"clusters": sorted({partition.cluster for partition in partitions})},
    )
    wanted = set(partitions)
    newest = {Partition(*partition): newest for *partition, newest in zip(*found.values, strict=True)}
    return {partition: (int(epoch), str(lease)) for partition, (epoch, lease) in newest.items() if partition in wanted}


def wait_for_running_inserts(client: Client, tables: Sequence[str]) -> None:
    """The fence stops inserts that start from now on; those that passed it before must be in the table or gone."""
    running = _running_inserts(client, tables)
    deadline = time.monotonic() + SETTLE_S
    while running & _running_inserts(client, tables):
        if time.monotonic() > deadline:
            raise Temporary(f"inserts {sorted(running)} of an earlier sink still run after {SETTLE_S:.0f} s")
        time.sleep(0.02)


def _running_inserts(client: Client, tables: Sequence[str]) -> set[str]:
    """The ids of inserts into these tables; clickhouse-connect quotes the names in its statement."""
    found = client.columns(
        "SELECT query_id FROM system.processes WHERE"
        " extract(replaceAll(query, '`', ''), '^INSERT INTO ([^ (]+)') IN {tables:Array(String)}",
        {"tables": [f"{client.database}.{table}" for table in tables]},
    )
    return set(found.first)


def _insert(client: Client, table: str, columns: Mapping[str, str], rows: Sequence[tuple[object, ...]]) -> None:
    """One block of rows whose values stand in the order of `columns`, which names their types."""
    if rows:
        values = list(zip(*rows, strict=True))
        client.insert(table, client.encode(table, list(columns), list(columns.values()), values))
