"""What the statements of the migrations must say, on one server and on a cluster."""

import re

import pytest

from sinks.clickhouse.migrations import create_record, migrations, repeatable
from sinks.clickhouse.settings import TableSettings
from sinks.clickhouse.views import VIEWS
from sinks.errors import Misconfigured
from sinks.tables import Table, table, tables

AGAIN = re.compile(
    r"CREATE (TABLE|DICTIONARY) IF NOT EXISTS"
    r"|ALTER TABLE \S+ (ADD (COLUMN|INDEX|CONSTRAINT) IF NOT EXISTS|DROP (COLUMN|INDEX) IF EXISTS|MODIFY|COMMENT)"
)


def _steps(settings: TableSettings) -> list[str]:
    """The statements of all steps."""
    return [statement for step in migrations() for statement in step.statements(settings)]


@pytest.mark.parametrize("table", tables(), ids=lambda table: table.name)
def test_a_block_lands_whole_and_fenced(table: Table) -> None:
    """No PARTITION BY that splits a block; fsync, token window and fence are there; every column is explained."""
    head = f"CREATE TABLE IF NOT EXISTS stillstream.{table.name} ("
    (text,) = (statement for statement in _steps(TableSettings()) if statement.startswith(head))
    assert "PARTITION BY" not in text
    assert "fsync_after_insert = 1, fsync_part_directory = 1" in text
    assert "SETTINGS non_replicated_deduplication_window = 10000" in text
    assert "CHECK dictHas('stillstream.sink_leases_current', _lease)" in text
    assert all(column.comment for column in table.columns)
    assert text.count("COMMENT") == text.count("\n    `") + 1


def test_no_raw_table_holds_what_was_said() -> None:
    """Raw events and dead letters give up their texts, bytes and plain customer ids."""
    said = {"customer_id", "content", "value", "key", "headers", "detail", "metadata"}
    for raw in (table("conversation_events"), table("dead_letters")):
        assert not said & set(raw.names)
        assert {column.type for column in raw.columns if column.name == "messages"} <= {"Nullable(Int32)"}


def test_every_statement_may_run_twice() -> None:
    """A statement that was executed but not recorded runs again after a crash."""
    numbers = [step.number for step in migrations()]
    assert numbers == list(range(1, len(numbers) + 1))
    for statement in _steps(TableSettings()):
        assert AGAIN.match(statement), statement[:120]


def test_a_cluster_gets_the_same_everywhere() -> None:
    """ON CLUSTER on every statement, Replicated engines on every table, the record one for all shards."""
    settings = TableSettings(cluster="main", ttl_days={"scores": 30})
    before, steps, after = create_record(settings), _steps(settings), list(repeatable(settings))
    assert all(" ON CLUSTER main" in statement for statement in (*before, *steps, *after))
    made = [statement for statement in (*before, *steps) if "CREATE TABLE" in statement]
    engines = [line for statement in made for line in statement.splitlines() if line.startswith("ENGINE")]
    assert len(engines) == len(made)
    assert all("Replicated" in line and "'/clickhouse/tables/" in line for line in engines)
    assert "'/clickhouse/tables/all/{database}/{table}', '{shard}-{replica}'" in engines[0]
    assert all("SETTINGS replicated_deduplication_window" in statement for statement in made[1:])


def test_one_server_gets_plain_engines() -> None:
    """Nothing of a cluster is said to a server that is in none."""
    settings = TableSettings(ttl_days={"scores": 30})
    made = [*create_record(settings), *_steps(settings), *repeatable(settings)]
    assert not any("ON CLUSTER" in statement or "ENGINE = Replicated" in statement for statement in made)


@pytest.mark.parametrize("settings", [TableSettings(), TableSettings(cluster="main")], ids=["server", "cluster"])
def test_no_brace_is_left(settings: TableSettings) -> None:
    """Every name in braces is filled in; in a replica path the braces are ClickHouse's own."""
    for statement in _steps(settings):
        assert not re.findall(r"\{(on_cluster|engine|aggregating_engine|deduplication_window)\}", statement)
        assert re.findall(r"\{database\}", statement.split("ENGINE")[0]) == []


def test_a_ttl_spares_ledger_and_leases() -> None:
    """Only the named tables forget; the ledger never does."""
    settings = TableSettings(ttl_days={"scores": 30})
    made = [*create_record(settings), *_steps(settings), *repeatable(settings)]
    assert [statement for statement in made if "TTL" in statement] == [
        "ALTER TABLE stillstream.scores MODIFY TTL toDateTime(_ingested_at) + INTERVAL 30 DAY"
    ]


@pytest.mark.parametrize("settings", [{"database": "a; DROP"}, {"cluster": "x y"}, {"ttl_days": {"scores": 0}}])
def test_wrong_settings_are_refused_at_birth(settings: dict[str, object]) -> None:
    """A name that is no name, or a TTL below a day, never reaches a statement."""
    with pytest.raises(Misconfigured):
        TableSettings(**settings)  # type: ignore[arg-type]


def test_every_view_says_what_it_is() -> None:
    """Views are documented and follow those that they read."""
    names = [view.name for view in VIEWS]
    assert all(view.comment.endswith(".") for view in VIEWS)
    for position, view in enumerate(VIEWS):
        assert not any(f"{{db}}.{later}" in view.query for later in names[position:])
