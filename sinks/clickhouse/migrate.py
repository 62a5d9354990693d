"""Brings a database forward, statement by statement, and records each: `still init` may be killed and run again.

Forward only. A statement that was executed and not recorded is executed again, so every one may run twice; that also
makes two `init` at the same time harmless. Views, TTLs and the room that is left free are no steps: they are set anew
every time.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import structlog

from sinks.clickhouse import lost
from sinks.clickhouse.client import Client
from sinks.clickhouse.migrations import RECORD, Migration, create_record, migrations, repeatable
from sinks.clickhouse.settings import TableSettings
from sinks.errors import Misconfigured, QueryFailed, SinkError, Temporary

log = structlog.get_logger()

# Two replicas, or two `init`, alter one table: the loser must look again and repeat.
CONTENDED = frozenset({57, 253, 341, 342, 517, 529})
TRIES = 8

Done = Mapping[int, frozenset[int]]
"""Executed statements by migration."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What one run did: statements by migration (`0001_tables`), those that follow every time, tables made again."""

    migrations: dict[str, int]
    repeated: int
    remade: tuple[str, ...] = ()

    @property
    def statements(self) -> int:
        """All of them."""
        return sum(self.migrations.values()) + self.repeated


def migrate(client: Client, settings: TableSettings, *, remake: bool = False) -> Applied:
    """Execute what is missing; with `remake`, make tables that were dropped again; sinks are restarted after that.

    Raises:
        Misconfigured: the database is newer than this version, a step was changed after it was executed, or a table
            that a step made is gone.
        QueryFailed: ClickHouse refuses a statement, in its words.
    """
    for statement in create_record(settings):
        _execute(client, statement)
    gone = _lost(client, settings, _done(client))
    if not remake:
        lost.refuse(client.database, gone)
    for statement in lost.remake(client, settings, gone):
        _execute(client, statement)
    applied: Counter[str] = Counter()
    for one in _missing(settings, _done(client)):  # asked anew: the steps that made lost tables count no more
        _execute(client, one.text)
        _record(client, one)
        applied[_name(one.step)] += 1
    again = list(repeatable(settings))
    for statement in again:
        _execute(client, statement)
    return Applied(dict(applied), len(again), tuple(gone))


def planned(client: Client, settings: TableSettings) -> Iterator[str]:
    """What `migrate` would execute now; raises what it raises."""
    exists = _record_exists(client)
    done = _done(client) if exists else {}
    if not exists:
        yield from create_record(settings)
    lost.refuse(client.database, _lost(client, settings, done))
    yield from (one.text for one in _missing(settings, done))
    yield from repeatable(settings)


def require(client: Client) -> None:
    """See that the database is at least as new as this version; a newer one will do, for columns are only added.

    Raises:
        Misconfigured: it is older.
    """
    newest = max(_whole(client), default=0) if _record_exists(client) else 0
    if newest < len(migrations()):
        raise Misconfigured(
            f"database {client.database} is at migration {newest}, this version needs {len(migrations())};"
            " run `still init` of this version"
        )
    lost.refuse(client.database, lost.lost_tables(client, TableSettings(database=client.database)))


class _Missing(NamedTuple):
    """A statement that was not executed yet: its step, its place among how many, its text."""

    step: Migration
    place: int
    total: int
    text: str


def _missing(settings: TableSettings, done: Done) -> Iterator[_Missing]:
    for step in migrations():
        texts, held = step.statements(settings), done.get(step.number, frozenset())
        yield from (_Missing(step, place, len(texts), text) for place, text in enumerate(texts) if place not in held)


def _lost(client: Client, settings: TableSettings, done: Done) -> list[str]:
    """Tables that are gone, of the statements that are recorded as executed."""
    made = {(number, index) for number, indexes in done.items() for index in indexes}
    return lost.lost_tables(client, settings, made)


def _done(client: Client) -> Done:
    known = {step.number: step for step in migrations()}
    for number, checksum in sorted(_checksums(client).items()):
        if number not in known:
            raise Misconfigured(
                f"database {client.database} is at migration {number}, this version knows {len(known)};"
                " use the newer version, migrations only go forward"
            )
        if checksum != known[number].checksum:
            raise Misconfigured(
                f"migration {_name(known[number])} is {known[number].checksum} here and was {checksum} when database"
                f" {client.database} got it; restore the file, and put the change into a new migration"
            )
    found = client.columns(f"SELECT number, groupUniqArray(statement) FROM {client.database}.{RECORD} GROUP BY number")
    return {int(number): frozenset(indexes) for number, indexes in zip(*found.values, strict=True)}


def _checksums(client: Client) -> dict[int, str]:
    sql = f"SELECT number, argMax(checksum, applied_at) FROM {client.database}.{RECORD} GROUP BY number"
    found = client.columns(sql)
    return {int(number): str(checksum) for number, checksum in zip(*found.values, strict=True)}


def _whole(client: Client) -> list[int]:
    """The migrations of which every statement was executed."""
    sql = f"SELECT number FROM {client.database}.{RECORD} GROUP BY number HAVING uniqExact(statement) = max(statements)"
    return [int(number) for number in client.columns(sql).first]


def _record_exists(client: Client) -> bool:
    sql = "SELECT 1 FROM system.tables WHERE database = {database:String} AND name = {name:String}"
    return bool(client.columns(sql, {"database": client.database, "name": RECORD}).first)


def _record(client: Client, done: _Missing) -> None:
    names = ("number", "name", "checksum", "statement", "statements", "applied_at")
    types = ("UInt32", "String", "String", "UInt32", "UInt32", "DateTime64(6, 'UTC')")
    row = (done.step.number, done.step.name, done.step.checksum, done.place, done.total, time.time_ns() // 1000)
    client.insert(RECORD, client.encode(RECORD, names, types, [[value] for value in row]))


def _execute(client: Client, statement: str) -> None:
    """Run one statement, again while somebody else alters the same table."""
    for attempt in range(TRIES):
        try:
            client.command(statement)
        except SinkError as error:
            if attempt == TRIES - 1 or not (isinstance(error, Temporary) or error.code in CONTENDED):
                raise _explained(error, statement) from error
            log.warning("statement_repeated", code=error.code, statement=statement.partition("\n")[0][:120])
            time.sleep(0.1 * 2**attempt)
        else:
            return


def _explained(error: SinkError, statement: str) -> SinkError:
    what = statement.partition("(")[0].strip().partition("\n")[0]
    if isinstance(error, Temporary):
        return error
    return QueryFailed(f"{what}: {error}; what came before is done, run `still init` again", code=error.code)


def _name(step: Migration) -> str:
    return f"{step.number:04d}_{step.name}"
