"""The ClickHouse store: what the sink lands in. The table itself is the ledger of what has landed.

Holds no state but its name as a lease holder, and the encoded bytes of the block whose outcome is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from uuid import uuid4

from sinks.clickhouse import ledger
from sinks.clickhouse.client import Client
from sinks.tables import LOW, SOURCE_KEY, Table
from sinks.values import Block, Key, Landed, Mark, Origin, Partition, Progress, Source

KEYS_PER_QUERY = 200


class ClickHouseStore:
    """Implements `sinks.values.Store`."""

    def __init__(self, client: Client, holder: str | None = None, topic_prefix: str = "") -> None:
        self._client = client
        self._prefix = topic_prefix
        self._holder = holder or uuid4().hex[:12]
        self._encoded: dict[str, tuple[str, bytes]] = {}

    def take_leases(self, partitions: Sequence[Partition]) -> dict[Partition, str]:
        """See `Store`."""
        return ledger.take_leases(self._client, partitions, self._holder, self._prefix)

    def landed(self, table: Table, partition: Partition) -> Landed:
        """See `Store`; reads the ledger, then the rows above its mark."""
        last = ledger.read_mark(self._client, partition)
        table_name = f"{self._client.database}.{table.name}"
        names = ("_offset", *SOURCE_KEY, "attempt") if table.monotone else ("_offset",)
        found = self._client.columns(
            f"SELECT {', '.join(names)} FROM {table_name}"
            " WHERE _cluster = {cluster:String} AND _partition = {number:Int32} AND _offset > {last:Int64}",
            {"cluster": partition.cluster, "number": partition.number, "last": last},
        )
        if not table.monotone:
            return Landed(last, dict.fromkeys(found.first), {})
        present = {offset: _origin(*origin) for offset, *origin in zip(*found.values, strict=True)}
        marks = ledger.read_source_marks(self._client, partition)
        for source, mark in ledger.read_unwritten_marks(self._client, table.name, partition).items():
            marks[source] = max(mark, marks.get(source, mark))
        return Landed(last, present, marks)

    def existing(self, table: Table, keys: Sequence[Key]) -> set[Key]:
        """See `Store`."""
        types = {column.name: column.type.replace(LOW, "String") for column in table.columns}
        wanted = f"Array(Tuple({', '.join(types[name] for name in table.key)}))"
        key = f"tuple({', '.join(table.key)})"
        found: set[Key] = set()
        for some in _chunks(keys, KEYS_PER_QUERY):
            held = self._client.columns(
                f"SELECT DISTINCT {key} FROM {self._client.database}.{table.name} WHERE {key} IN {{keys:{wanted}}}",
                {"keys": some},
            ).first
            found.update(held)
        return found

    def insert(self, block: Block) -> None:
        """See `Store`; an unknown outcome is followed by the same block, and then the same bytes go out again."""
        name = block.table.name
        token, body = self._encoded.get(name, ("", b""))
        if token != block.token:
            types = [column.type for column in block.table.columns]
            body = self._client.encode(name, block.table.names, types, block.columns)
            self._encoded[name] = (block.token, body)
        self._client.insert(name, body, block.token)
        del self._encoded[name]

    def missing(self, block: Block) -> list[int]:
        """See `Store`; asks per partition for the stretch of offsets that the block spans."""
        places = block.places()
        held: set[tuple[str, int, int]] = set()
        for cluster, number in {place[:2] for place in places}:
            offsets = [place[2] for place in places if place[:2] == (cluster, number)]
            found = self._client.columns(
                f"SELECT _offset FROM {self._client.database}.{block.table.name} WHERE _cluster = {{cluster:String}}"
                " AND _partition = {number:Int32} AND _offset BETWEEN {first:Int64} AND {last:Int64}",
                {"cluster": cluster, "number": number, "first": min(offsets), "last": max(offsets)},
            ).first
            held.update((cluster, number, offset) for offset in found)
        return [row for row, place in enumerate(places) if place not in held]

    def record(self, progress: Sequence[Progress]) -> None:
        """See `Store`."""
        ledger.write_progress(self._client, progress)


def _origin(cluster: str, topic: str, number: int, offset: int, index: int, attempt: int) -> Origin | None:  # noqa: PLR0913, PLR0917 - a row's values
    return None if attempt else Origin(Source(cluster, topic, number), Mark(offset, index))


def _chunks(keys: Sequence[Key], size: int) -> Iterator[list[Key]]:
    pending = iter(keys)
    while some := list(islice(pending, size)):
        yield some
