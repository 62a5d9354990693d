"""Stock clickhouse-connect, sync and async, against the embedded engine."""

import asyncio
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError

from still.embedded.stack import Stack

ROWS = 100_000
TABLE = "CREATE TABLE t (a UInt64, b String, m Map(String, String), n Nullable(Float64)) ENGINE = MergeTree ORDER BY a"


def _options(stack: Stack, database: str) -> dict[str, Any]:
    url = urlsplit(stack.clickhouse_url)
    return {"host": url.hostname, "port": url.port, "database": database}


@pytest.fixture(name="client")
def _client(stack: Stack, database: str) -> Iterator[Any]:
    with clickhouse_connect.get_client(**_options(stack, database)) as client:
        yield client


@pytest.mark.parametrize("compress", ["lz4", "zstd", "gzip", False])
def test_insert_of_several_blocks(stack: Stack, database: str, compress: str | bool) -> None:
    """All blocks of a large insert are stored whatever the compression, and read back equal."""
    columns: list[list[object]] = [
        list(range(ROWS)),
        [f"it's {i}\n\t日本" for i in range(ROWS)],
        [{"k": "v"}] * ROWS,
        [None, 0.5] * (ROWS // 2),
    ]
    with clickhouse_connect.get_client(**_options(stack, database), compress=compress) as client:
        client.command(TABLE)
        summary = client.insert("t", columns, column_names=["a", "b", "m", "n"], column_oriented=True)
        assert summary.written_rows == ROWS
        read = client.query("SELECT * FROM t ORDER BY a", column_oriented=True).result_columns
    assert [list(column) for column in read] == columns


def test_queries_of_every_kind(client: Any) -> None:
    """Bound parameters, empty results, column probes, commands, Arrow and raw formats work as on a server."""
    client.command(TABLE)
    assert client.query("SELECT {v:String}", parameters={"v": "it's\n"}).result_rows == [("it's\n",)]
    assert client.query("SELECT %(v)s", parameters={"v": "a'b\\"}).result_rows == [("a'b\\",)]
    assert client.query("SELECT {v:String} AS v", parameters={"v": "x" * 50_000}).result_rows == [("x" * 50_000,)]
    assert client.query("SELECT a FROM t").result_rows == []
    assert client.query("SELECT a FROM t LIMIT 0").column_names == ("a",)
    assert client.command("SELECT 5") == 5
    assert client.query("SHOW TABLES").result_rows == [("t",)]
    assert client.query_arrow("SELECT 1 AS x").to_pylist() == [{"x": 1}]
    assert client.raw_query("SELECT 1 AS x", fmt="Parquet")[:4] == b"PAR1"
    assert client.ping()


def test_streamed_result(client: Any) -> None:
    """A result far larger than a block arrives block by block."""
    with client.query_row_block_stream("SELECT number FROM numbers(1000000)") as blocks:
        sizes = [len(block) for block in blocks]
    assert (sum(sizes), len(sizes) > 5) == (1_000_000, True)


def test_errors_have_number_and_name(client: Any) -> None:
    """The client reads number and name, before the first row and in the middle of a stream."""
    with pytest.raises(DatabaseError) as caught:
        client.query("SELECT * FROM nowhere")
    assert (caught.value.code, caught.value.name) == (60, "UNKNOWN_TABLE")
    late = "SELECT throwIf(number = 900000) FROM numbers(1000000) SETTINGS max_block_size = 1000"
    with pytest.raises(StreamFailureError, match="FUNCTION_THROW_IF"), client.query_row_block_stream(late) as blocks:
        for _ in blocks:
            pass


def test_async_client(stack: Stack, database: str) -> None:
    """The async client inserts, and its queries run side by side."""

    async def work() -> list[Any]:
        client = await clickhouse_connect.get_async_client(**_options(stack, database), autogenerate_session_id=False)
        try:
            await client.command(TABLE)
            await client.insert("t", [[i, "x", {}, None] for i in range(50_000)], column_names=["a", "b", "m", "n"])
            results = await asyncio.gather(*(client.query(f"SELECT count(), {i} FROM t") for i in range(8)))
        finally:
            await client.close()
        return [result.result_rows[0] for result in results]

    assert asyncio.run(work()) == [(50_000, i) for i in range(8)]
