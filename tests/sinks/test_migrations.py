"""Numbered steps lead to the very tables of `sinks.tables`, from anywhere, whoever is killed on the way."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sinks.clickhouse.client import Client, connect
from sinks.clickhouse.ledger import (
    LEASES,
    MARKS,
    SOURCE_MARKS,
    read_mark,
    read_source_marks,
    take_leases,
    write_progress,
)
from sinks.clickhouse.lost import remake
from sinks.clickhouse.migrate import migrate, planned, require
from sinks.clickhouse.migrations import RECORD, Migration, create_record, migrations, repeatable
from sinks.clickhouse.settings import TableSettings
from sinks.clickhouse.views import VIEWS
from sinks.errors import LeaseLost, Misconfigured
from sinks.tables import tables
from sinks.values import Mark, Partition, Progress, Source
from still.embedded.stack import Ports, Stack, read_children, running_stack
from tests.streams.log import eventually

CODECS = {None: "", "Delta, ZSTD": "CODEC(Delta(8), ZSTD(1))", "ZSTD(3)": "CODEC(ZSTD(3))"}
"""Compression as ClickHouse writes it out."""
LEDGER = {LEASES, f"{LEASES}_current", MARKS, SOURCE_MARKS}
KILLS = 5
ENGINE_KILLS = 3


@pytest.fixture(name="client")
def _client(stack: Stack, database: str) -> Client:
    """ClickHouse with an empty database."""
    return connect(stack.clickhouse_url, database)


@pytest.fixture(name="settings")
def _settings(database: str) -> TableSettings:
    """One server."""
    return TableSettings(database=database)


def _shape(client: Client) -> dict[str, object]:
    """The tables of rows with order, indexes and columns, with all that `sinks.tables` says of them."""
    where = f"database = '{client.database}'"
    columns = client.rows(f"SELECT table, name, type, comment, compression_codec FROM system.columns WHERE {where}")
    made = client.rows(f"SELECT name, engine, sorting_key, comment FROM system.tables WHERE {where}")
    indexes = client.rows(
        f"SELECT table, name, type, expr, granularity FROM system.data_skipping_indices WHERE {where}"
    )
    names = {table.name for table in tables()}
    return {
        "columns": {(row.pop("table"), row.pop("name")): row for row in columns if row["table"] in names},
        "tables": {row.pop("name"): row for row in made if row["name"] in names},
        "indexes": {(row.pop("table"), row.pop("name")): row for row in indexes},
    }


def _described() -> dict[str, object]:
    """What `_shape` finds where the database is as `sinks.tables` describes it."""
    return {
        "columns": {
            (table.name, column.name): {
                "type": column.type,
                "comment": column.comment,
                "compression_codec": CODECS[column.codec],
            }
            for table in tables()
            for column in table.columns
        },
        "tables": {
            table.name: {"engine": "MergeTree", "sorting_key": ", ".join(table.order_by), "comment": table.comment}
            for table in tables()
        },
        "indexes": {(table.name, index.split()[1]): _index(index) for table in tables() for index in table.indexes},
    }


def _index(text: str) -> dict[str, object]:
    """Of `INDEX name expression TYPE type [GRANULARITY number]`."""
    _, _, expression, _, kind, *granularity = text.split()
    return {"type": kind, "expr": expression, "granularity": int(granularity[1]) if granularity else 1}


def test_steps_come_to_the_tables(client: Client, settings: TableSettings) -> None:
    """A migrated database is the one that `sinks.tables` describes; a column without a step fails here."""
    migrate(client, settings)
    assert _shape(client) == _described(), (
        "tables.py is ahead: add sinks/clickhouse/migrations/NNNN_name.sql (ADD COLUMN ...)"
    )


def test_a_second_run_changes_nothing(client: Client, settings: TableSettings) -> None:
    """What is done is not done again; only views are set anew."""
    before = list(planned(client, settings))
    first = migrate(client, settings)
    assert before[: -first.repeated] == [
        *create_record(settings),
        *(s for m in migrations() for s in m.statements(settings)),
    ]
    second = migrate(client, settings)
    assert (second.migrations, second.repeated) == ({}, first.repeated)
    assert len(list(planned(client, settings))) == first.repeated
    require(client)


def test_a_newer_database_is_refused(client: Client, settings: TableSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older version changes nothing in a newer database, and an old database stops a newer sink."""
    newer = Migration(
        len(migrations()) + 1, "channel", "ALTER TABLE {database}.scores ADD COLUMN IF NOT EXISTS channel String;\n"
    )
    known = migrations()
    migrate(client, settings)
    monkeypatch.setattr("sinks.clickhouse.migrate.migrations", lambda: (*known, newer))
    with pytest.raises(Misconfigured, match=r"run `still init` of this version"):
        require(client)
    assert migrate(client, settings).migrations == {f"{newer.number:04d}_channel": 1}
    monkeypatch.setattr("sinks.clickhouse.migrate.migrations", lambda: known)
    with pytest.raises(Misconfigured, match=r"migration \d+, this version knows \d+; use the newer version"):
        migrate(client, settings)
    require(client)


@pytest.mark.parametrize("name", ["scores", "examples", MARKS, SOURCE_MARKS, LEASES])
def test_a_dropped_table_is_named_and_made_again_where_asked(
    client: Client, settings: TableSettings, name: str
) -> None:
    """Nothing is made unasked; made again it has its later columns too, and the ledger knows nothing of its topic."""
    migrate(client, settings)
    shape = _shape(client)
    for topic in ("scores", "examples", "conversations"):
        write_progress(
            client, [Progress(Partition("k", topic, 0), 7, {Source("k", "conversation.events", 0): Mark(5, 0)}, "")]
        )
    _drop(client, [name])
    for refused in (require, lambda c: migrate(c, settings), lambda c: list(planned(c, settings))):
        with pytest.raises(Misconfigured, match=rf"has lost {name}: .*still init --remake"):
            refused(client)
    assert migrate(client, settings, remake=True).remade == (name,)
    require(client)
    assert _shape(client) == shape
    forgotten = {"scores": {"scores"}, "examples": {"examples"}, LEASES: set()}
    everything = {"scores", "examples", "conversations"}
    known = {t for t in everything if read_mark(client, Partition("k", t, 0)) == 7}
    sources = {t for t in everything if read_source_marks(client, Partition("k", t, 0))}
    assert known == everything - forgotten.get(name, everything)
    assert sources == (everything if name == MARKS else known)


@pytest.mark.parametrize("names", [["examples"], [SOURCE_MARKS], ["examples", SOURCE_MARKS], ["examples", MARKS]])
def test_a_sink_that_runs_brings_no_mark_back(client: Client, settings: TableSettings, names: list[str]) -> None:
    """What it writes under the lease of before, amid any two statements, is refused or forgotten."""
    migrate(client, settings)
    partition, marks = Partition("k", "examples", 0), {Source("k", "conversation.events", 0): Mark(5, 0)}
    stale = Progress(partition, 7, marks, take_leases(client, [partition], "runs")[partition])
    write_progress(client, [stale])
    _drop(client, names)
    migrate(Meddling(client, stale), settings, remake=True)
    with pytest.raises(LeaseLost):
        write_progress(client, [stale])
    assert (read_mark(client, partition), read_source_marks(client, partition)) == (-1, {})


def test_a_sink_that_starts_meanwhile_writes_nothing(client: Client, settings: TableSettings) -> None:
    """One starts before each statement, with a partition of its own: behind an old mark it cannot write."""
    migrate(client, settings)
    partitions = [Partition("k", "examples", number) for number in range(8)]
    write_progress(client, [Progress(partition, 7, {}, "") for partition in partitions])
    _drop(client, ["examples"])
    read: dict[Partition, tuple[int, str]] = {}
    for partition, statement in zip(partitions, remake(client, settings, ["examples"]), strict=False):
        lease = take_leases(client, [partition], "meanwhile")[partition]
        read[partition] = (read_mark(client, partition), lease)
        client.command(statement)
    assert {last for last, _ in read.values()} == {7, -1}
    for partition, (last, lease) in read.items():
        if last == 7:
            with pytest.raises(LeaseLost):
                write_progress(client, [Progress(partition, last + 1, {}, lease)])
    assert {read_mark(client, partition) for partition in partitions} == {-1}


def test_marks_on_their_way_are_waited_for(client: Client, settings: TableSettings) -> None:
    """An insert into the ledger that began before the leases went has ended before the ledger forgets."""
    migrate(client, settings)
    _drop(client, ["examples"])
    slow = f"INSERT INTO {client.database}.{MARKS} SELECT 'k', 'examples', 0, 7 + sleep(2), '' FROM system.one"
    with ThreadPoolExecutor(1) as threads:
        statements = remake(client, settings, ["examples"])
        client.command(next(statements))
        written = threads.submit(client.command, slow)
        time.sleep(0.5)
        client.command(next(statements))
        assert written.done()
    for statement in statements:
        client.command(statement)
    assert read_mark(client, Partition("k", "examples", 0)) == -1


def test_a_remake_that_was_killed_goes_on(client: Client, settings: TableSettings) -> None:
    """Whichever change of the database was its last, the next runs end with every table as it was, and no old mark."""
    migrate(client, settings)
    shape, partition = _shape(client), Partition("k", "conversation.events", 0)
    for at in range(1, 12):
        write_progress(client, [Progress(partition, 7, {}, "")])
        _drop(client, ["conversation_events", SOURCE_MARKS])
        with pytest.raises(Died):
            migrate(Dying(client, at, after=True), settings, remake=True)
        migrate(client, settings, remake=True)
        assert _shape(client) == shape
        assert read_mark(client, partition) == -1


class Meddling(Client):
    """Before each change of the database a sink writes what it knew."""

    def __init__(self, client: Client, stale: Progress) -> None:
        super().__init__(client._driver, client.database)
        self._client, self._stale = client, stale

    def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """See `Client`."""
        with suppress(LeaseLost, Misconfigured):
            write_progress(self._client, [self._stale])
        super().command(sql, parameters)


def _drop(client: Client, names: list[str]) -> None:
    for name in names:
        client.command(f"DROP TABLE {client.database}.{name} SETTINGS check_table_dependencies = 0")


def test_what_no_step_made_yet_is_no_loss(client: Client, settings: TableSettings) -> None:
    """An `init` that was killed half-way goes on: only what is recorded as done can be lost."""
    migrate(client, settings)
    client.command(f"ALTER TABLE {client.database}.{RECORD} DELETE WHERE statement >= 5 SETTINGS mutations_sync = 2")
    client.command(f"DROP TABLE {client.database}.dead_letters")
    assert migrate(client, settings).remade == ()
    require(client)


def test_a_changed_step_is_refused(client: Client, settings: TableSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that was changed after a database got it is named, with both checksums."""
    migrate(client, settings)
    first = migrations()[0]
    changed = Migration(1, first.name, first.text.replace("Who may", "Who must"))
    monkeypatch.setattr("sinks.clickhouse.migrate.migrations", lambda: (changed, *migrations()[1:]))
    with pytest.raises(Misconfigured, match=rf"0001_tables is {changed.checksum} here and was {first.checksum}"):
        migrate(client, settings)


class Died(Exception):  # noqa: N818 - what a kill is to the statement after it
    """The process ends here."""


class Dying(Client):
    """Dies at its n-th change of the database, just before or just after it."""

    def __init__(self, client: Client, at: int, *, after: bool) -> None:
        super().__init__(client._driver, client.database)
        self._left, self._after = at, after

    def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """See `Client`."""
        self._change(lambda: Client.command(self, sql, parameters))

    def insert(self, table: str, encoded: bytes, token: str | None = None) -> None:
        """See `Client`."""
        self._change(lambda: Client.insert(self, table, encoded, token))

    def _change(self, change: Callable[[], None]) -> None:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise Died
        change()
        if self._left == 0:
            raise Died


def test_half_a_step_is_not_enough(client: Client, settings: TableSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sink does not start on a database whose newest step was begun and not finished."""
    migrate(client, settings)
    add = "ALTER TABLE {database}.scores ADD COLUMN IF NOT EXISTS "
    known = migrations()
    newer = Migration(len(known) + 1, "two", f"{add}one String;\n\n{add}two String;\n")
    monkeypatch.setattr("sinks.clickhouse.migrate.migrations", lambda: (*known, newer))
    with pytest.raises(Died):
        migrate(Dying(client, 5, after=False), settings)  # 1, 2: the record's own; 3, 4: the first half
    assert client.columns(f"SELECT max(number) FROM {client.database}.{RECORD}").first[0] == newer.number
    with pytest.raises(Misconfigured, match=rf"is at migration {newer.number - 1}, this version needs {newer.number}"):
        require(client)
    assert migrate(client, settings).migrations == {f"{newer.number:04d}_two": 1}
    require(client)


@pytest.mark.parametrize("after", [False, True])
def test_death_at_every_statement_is_survived(client: Client, settings: TableSettings, *, after: bool) -> None:
    """Each run gets one change further than the one before it, until one is whole: nothing is half, nothing is lost."""
    at, died = 0, True
    while died:
        at += 1
        try:
            migrate(Dying(client, at, after=after), settings)
            died = False
        except Died:
            pending = list(planned(client, settings))
            assert pending[-1] == list(repeatable(settings))[-1]
    assert at > len(create_record(settings)) + len(list(repeatable(settings)))
    assert _is_complete(client)


def _process(stack: Stack, database: str) -> subprocess.Popen[bytes]:
    code = (
        "import sys; from sinks.clickhouse.client import connect; from sinks.clickhouse.migrate import migrate;"
        "from sinks.clickhouse.settings import TableSettings;"
        "print('begun', flush=True); migrate(connect(sys.argv[1], sys.argv[2]), TableSettings(database=sys.argv[2]))"
    )
    return subprocess.Popen([sys.executable, "-c", code, stack.clickhouse_url, database], stdout=subprocess.PIPE)


def test_kill_at_any_moment_leaves_nothing_half(stack: Stack, client: Client, settings: TableSettings) -> None:
    """Killed again and again at random moments, it goes on where it was, and comes to the same tables."""
    chance = random.Random(20261124)
    done = 0
    for _ in range(KILLS):
        with _process(stack, client.database) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.uniform(0.0, 0.25))
            process.kill()
        held = client.rows(f"SELECT count() AS n FROM system.tables WHERE database = '{client.database}'")[0]["n"]
        assert held >= done
        done = held
    migrate(client, settings)
    assert _is_complete(client)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_killed_engine_takes_up_again(tmp_path: Path) -> None:
    """Kill -9 of ClickHouse itself while tables are made: after its restart the same command completes them."""
    chance = random.Random(20261124)
    with running_stack(tmp_path, Ports(broker=0, clickhouse=0)) as stack:
        for _ in range(ENGINE_KILLS):
            with _process(stack, "killed") as process:
                assert process.stdout is not None
                process.stdout.readline()
                time.sleep(chance.uniform(0.0, 0.2))
                pid = read_children(tmp_path)["clickhouse"].pid
                assert pid is not None
                os.kill(pid, signal.SIGKILL)
                process.kill()
            eventually(lambda: read_children(tmp_path)["clickhouse"].pid not in (None, pid), 60, "a new ClickHouse")  # noqa: B023
        client = connect(stack.clickhouse_url, "killed", wait_s=60.0)
        migrate(client, TableSettings(database="killed"))
        assert _is_complete(client)


def test_two_at_once_are_as_good_as_one(stack: Stack, client: Client) -> None:
    """Concurrent runs of several processes all succeed, and leave each statement recorded and the tables whole."""
    processes = [_process(stack, client.database) for _ in range(3)]
    for process in processes:
        process.communicate(timeout=90)
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert _is_complete(client)


def _is_complete(client: Client) -> bool:
    """Every statement is recorded, no table or view is missing, and the tables are those of `sinks.tables`."""
    count = sum(len(step.statements(TableSettings())) for step in migrations())
    found = client.rows(f"SELECT uniqExact(number, statement) AS n FROM {client.database}.{RECORD}")
    held = client.columns(f"SELECT name FROM system.tables WHERE database = '{client.database}'").first
    names = {RECORD, *LEDGER, *(table.name for table in tables()), *(view.name for view in VIEWS)}
    return bool(found[0]["n"] == count) and set(held) == names and _shape(client) == _described()
