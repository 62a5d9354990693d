"""What the generated statements must say, on one server and on a cluster."""

import pytest

from sinks.clickhouse.ddl import CURRENT_LEASES, create_table, statements
from sinks.clickhouse.settings import TableSettings
from sinks.clickhouse.views import VIEWS
from sinks.errors import Misconfigured
from sinks.tables import Table, tables


@pytest.mark.parametrize("table", tables(), ids=lambda table: table.name)
def test_a_block_lands_whole_and_fenced(table: Table) -> None:
    """No PARTITION BY that splits a block; fsync, token window and fence are there; every column is explained."""
    text = create_table(table, TableSettings())
    assert "PARTITION BY" not in text
    assert "fsync_after_insert = 1, fsync_part_directory = 1" in text
    assert "non_replicated_deduplication_window = 10000" in text
    assert f"CHECK dictHas('stillstream.{CURRENT_LEASES}', _lease)" in text
    assert all(column.comment for column in table.columns)
    assert text.count("COMMENT") == len(table.columns) + 1


def test_no_raw_table_holds_what_was_said() -> None:
    """Raw events and dead letters give up their texts, bytes and plain customer ids."""
    for table in tables():
        if table.name in ("conversation_events", "dead_letters"):
            assert not {"customer_id", "content", "value", "key", "headers", "detail", "metadata"} & set(table.names)
            assert all(c.type == "Nullable(Int32)" for c in table.columns if c.name == "messages")


def test_a_cluster_gets_replicated_engines_everywhere() -> None:
    """ON CLUSTER on every statement, Replicated engines on every table."""
    made = list(statements(TableSettings(cluster="main")))
    assert all(" ON CLUSTER main" in statement for statement in made)
    engines = [statement for statement in made if "ENGINE =" in statement]
    assert all("ENGINE = Replicated" in statement for statement in engines)
    assert all(" replicated_deduplication_window" in statement for statement in engines)


def test_a_ttl_spares_ledger_and_leases() -> None:
    """Only the named tables forget; the ledger never does."""
    made = [s for s in statements(TableSettings(ttl_days={"scores": 30})) if "TTL" in s]
    assert made
    assert all("stillstream.scores" in statement for statement in made)


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
