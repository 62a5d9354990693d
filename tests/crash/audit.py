"""The audit: by SQL and without FINAL, every offset of the log once, and every derived row as the reference has it.

A finding is a sentence that names the first offset that differs; no finding = nothing lost, nothing doubled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from schemas.codec import encode
from sinks.clickhouse.client import Client
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.settings import TableSettings
from sinks.clickhouse.store import ClickHouseStore
from sinks.decode import decoders
from sinks.tables import POSITION, Table, by_topic
from sinks.values import Arrived, Block, Partition, Refused, Row
from sinks.write import block_of
from tests.crash import journal
from tests.crash.reference import Derived

BLOCK = 10_000
DERIVED = ("conversations", "scores", "examples", "dead.letters")
_OF_SESSIONS = ("src_previous_offset",)
"""What may differ between two runs over one log: where a worker's session began."""


def events(client: Client, ends: Mapping[int, int]) -> list[str]:
    """Every position of `conversation.events` is in its table exactly once; `ends` says how long the log is."""
    rows = client.rows(
        "SELECT _partition AS p, count() AS n, uniqExact(_offset) AS distinct, min(_offset) AS lowest,"
        f" max(_offset) AS highest FROM {client.database}.conversation_events GROUP BY p"
    )
    found = {row["p"]: row for row in rows}
    findings = []
    for partition, end in ends.items():
        row = found.get(partition, {"n": 0, "distinct": 0, "lowest": 0, "highest": -1})
        if (row["n"], row["distinct"], row["lowest"], row["highest"]) != (end, end, 0, end - 1):
            first = _first_hole(client, partition, end)
            findings.append(
                f"conversation.events[{partition}] has {end} records, the table {row['n']} rows of {row['distinct']}"
                f" offsets {row['lowest']}..{row['highest']}; the first that differs is {first}"
            )
    return findings


def _first_hole(client: Client, partition: int, end: int) -> object:
    (found,) = client.rows(
        "SELECT min(o) AS first FROM (SELECT o, countIf(is_row) AS n FROM"
        " (SELECT toInt64(number) AS o, 0 AS is_row FROM numbers({end:UInt64})"
        f" UNION ALL SELECT _offset, 1 FROM {client.database}.conversation_events WHERE _partition = {{p:Int32}})"
        " GROUP BY o HAVING n != 1)",
        {"end": end, "p": partition},
    )
    return found["first"]


def oracle(client: Client, path: Path) -> list[str]:
    """Every acknowledged record lies where the publisher was told, with the bytes that it sent."""
    told: dict[int, dict[int, str]] = defaultdict(dict)
    somewhere: dict[int, set[str]] = defaultdict(set)
    for one in journal.read(path):
        if one.offset is None:
            somewhere[one.partition].add(one.sha256)
        else:
            told[one.partition][one.offset] = one.sha256
    findings = []
    for partition in sorted(told.keys() | somewhere.keys()):
        offsets = told[partition]
        rows = client.stream(
            f"SELECT _offset AS o, value_sha256 AS sha FROM {client.database}.conversation_events"
            " WHERE _partition = {p:Int32}",
            {"p": partition},
        )
        held = {row["o"]: (row["sha"] or "")[: journal.DIGITS] for row in rows}
        wrong = sorted(offset for offset, sha in offsets.items() if held.get(offset) != sha)
        if wrong:
            findings.append(
                f"{len(wrong)} acknowledged records of conversation.events[{partition}] are not as sent;"
                f" the first is offset {wrong[0]}"
            )
        if missing := somewhere[partition] - set(held.values()):
            findings.append(
                f"{len(missing)} records that conversation.events[{partition}] is said to have had already are missing"
            )
    return findings


class Reference:
    """A database that holds what must have come out; made anew."""

    def __init__(self, client: Client) -> None:
        self.client = client
        client.command(f"DROP DATABASE IF EXISTS {client.database}")
        migrate(client, TableSettings(database=client.database))
        self._store = ClickHouseStore(self.client)

    def fill(self, cluster: str, partition: int, derived: Iterable[tuple[str, Derived]]) -> None:
        """Land everything that one partition causes."""
        leases = self.take([Partition(cluster, topic, partition) for topic in DERIVED])
        waiting: dict[str, list[tuple[Arrived, Row]]] = defaultdict(list)
        for topic, arrived, row in _rows(cluster, partition, derived):
            waiting[topic].append((arrived, row))
            if len(waiting[topic]) == BLOCK:
                self.insert(block_of(by_topic()[topic], waiting.pop(topic), leases, 0))
        for topic, rows in waiting.items():
            self.insert(block_of(by_topic()[topic], rows, leases, 0))

    def take(self, partitions: list[Partition]) -> dict[Partition, str]:
        """Leases to write with."""
        return self._store.take_leases(partitions)

    def insert(self, block: Block) -> None:
        """Land a block."""
        self._store.insert(block)


def _rows(cluster: str, partition: int, derived: Iterable[tuple[str, Derived]]) -> Iterator[tuple[str, Arrived, Row]]:
    decode = decoders(b"key")
    for number, (topic, record) in enumerate(derived):
        arrived = Arrived(Partition(cluster, topic, partition), number, 0, None, encode(record))
        row = decode[topic](arrived)
        assert not isinstance(row, Refused), row
        yield topic, arrived, row


def same(client: Client, reference: Client) -> list[str]:
    """Each derived table holds the reference's rows: same keys, same contents, each once."""
    return [finding for topic in DERIVED for finding in _same(client, reference, by_topic()[topic])]


def _same(client: Client, reference: Client, table: Table) -> list[str]:
    key = _key(table)
    rows, distinct, places = _counts(client, table, key)
    findings = []
    if not rows == distinct == places:
        findings.append(
            f"{table.name} holds {rows} rows of {distinct} keys at {places} offsets; {_doubled(client, table, key)}"
        )
    for name, here, there in (("missing", reference, client), ("not in the reference", client, reference)):
        first = _first_difference(here, there, table, key)
        if first:
            findings.append(f"{table.name}: {first[0]['n']} rows {name}; the first is {first[0]['first']}")
    return findings


def _key(table: Table) -> str:
    return ", ".join(table.key if table.name != "dead_letters" else ("partition", "offset", "stage", "attempt"))


def _counts(client: Client, table: Table, key: str) -> tuple[int, int, int]:
    (found,) = client.rows(
        f"SELECT count() AS n, uniqExact({key}) AS d, uniqExact(_partition, _offset) AS p"
        f" FROM {client.database}.{table.name}"
    )
    return found["n"], found["d"], found["p"]


def _doubled(client: Client, table: Table, key: str) -> str:
    (found,) = client.rows(
        f"SELECT min(k) AS first FROM (SELECT toString(tuple({key})) AS k FROM {client.database}.{table.name}"
        " GROUP BY k HAVING count() > 1)"
    )
    return f"the first doubled is {found['first']}"


def _first_difference(here: Client, there: Client, table: Table, key: str) -> list[dict[str, object]]:
    """How many rows `here` has that `there` has not, and the first of them."""
    position = {column.name for column in POSITION}
    names = [name for name in table.names if name not in position | set(_OF_SESSIONS)]
    content = f"cityHash64(toString(tuple({', '.join(names)})))"
    return here.rows(
        f"SELECT count() AS n, toString(min(tuple({key}))) AS first FROM {here.database}.{table.name}"
        f" WHERE {content} NOT IN (SELECT {content} FROM {there.database}.{table.name}) HAVING n > 0"
    )
