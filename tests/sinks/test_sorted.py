"""Which refusals of ClickHouse blame a row, and which stop the sink."""

from __future__ import annotations

import socket

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from sinks.clickhouse.client import TEMPORARY, _sorted, connect
from sinks.errors import LeaseLost, Misconfigured, QueryFailed, Rejected, Temporary
from still.embedded.ports import LOOPBACK
from still.embedded.stack import Stack


@pytest.mark.parametrize(
    ("column", "code"),
    [("Int64", 6), ("Date", 38), ("DateTime", 41), ("UUID", 376), ("Enum8('a' = 1)", 691), ("Bool", 467)],
)
def test_a_value_that_does_not_fit_is_a_row_at_fault(stack: Stack, database: str, column: str, code: int) -> None:
    """The engine itself says so of a word that is no number, no date, none of an enum."""
    client = connect(stack.clickhouse_url, database)
    client.command(f"CREATE TABLE {database}.t (a {column}) ENGINE = MergeTree ORDER BY tuple()")
    with pytest.raises(Rejected) as refused:
        client.insert("t", client.encode("t", ["a"], ["String"], [["zzz"]]), "t:one")
    assert refused.value.code == code


FAR = "SELECT fromUnixTimestamp64Micro(1790000000000000000, 'UTC') AS at"


def test_an_answer_that_cannot_be_read_is_a_failed_query(stack: Stack, database: str) -> None:
    """A time after 9999 is no value of Python: the query is told how to ask for it, and the client goes on."""
    client = connect(stack.clickhouse_url, database)
    with pytest.raises(QueryFailed, match=r"toUnixTimestamp64Micro\(column\).*outside the date range"):
        client.columns(FAR)
    with pytest.raises(QueryFailed, match=r"toUnixTimestamp64Micro\(column\)"):
        list(client.stream(FAR))
    asked = client.columns(f"SELECT toUnixTimestamp64Micro(at) FROM ({FAR})")
    assert asked.first == [1_790_000_000 * 10**9]


def test_a_table_that_was_dropped_is_no_fault_of_rows(stack: Stack, database: str) -> None:
    """The sink stops with ClickHouse's words and what to do."""
    client = connect(stack.clickhouse_url, database)
    client.command(f"CREATE TABLE {database}.t (a Int64) ENGINE = MergeTree ORDER BY a")
    encoded = client.encode("t", ["a"], ["Int64"], [[1]])
    client.command(f"DROP TABLE {database}.t")
    with pytest.raises(Misconfigured, match=r"(?s)Code: 60.*no row's fault.*still init") as stopped:
        client.insert("t", encoded, "t:one")
    assert stopped.value.code == 60


@pytest.mark.parametrize("code", [452, 218, 49, 40, 246, 497, 64_000])
def test_a_code_that_nobody_listed_stops_the_sink(code: int) -> None:
    """Constrained settings, faults of server and disk, codes of a later version: never a dead letter."""
    error = DatabaseError(f"Code: {code}. DB::Exception: by a test", code=code)
    assert type(_sorted(error, refused=Rejected, table="t")) is Misconfigured
    assert type(_sorted(error, refused=QueryFailed)) is QueryFailed


@pytest.mark.parametrize("code", [None, *sorted(TEMPORARY)])
def test_what_passes_is_tried_again(code: int | None) -> None:
    """Whether an insert or a question was refused."""
    error = DatabaseError("no answer", code=code)
    assert type(_sorted(error, refused=Rejected)) is type(_sorted(error, refused=QueryFailed)) is Temporary


def test_a_violated_constraint_is_a_lost_lease() -> None:
    """The tables have no other constraint."""
    assert type(_sorted(DatabaseError("Code: 469", code=469), refused=Rejected)) is LeaseLost


def test_a_silence_says_how_long_it_was() -> None:
    """Nobody needs the driver's wrapping to see that ClickHouse stands still."""
    silence = r"ClickHouse at http://\S+: it does not answer within 1 s$"
    with socket.create_server((LOOPBACK, 0)) as silent, pytest.raises(Temporary, match=silence):
        connect(f"http://{LOOPBACK}:{silent.getsockname()[1]}", "default", answer_s=1.0)
