"""`python -m bench.clickhouse_http`: what the HTTP front costs over the engine in process.

The same Native bytes and the same column lists go into the same table, in process and over HTTP, in turns; medians
of several rounds. Prints a table, then one JSON line for machines.
"""

import http.client
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import clickhouse_connect

from still.embedded.clickhouse.chdb_connection import connect
from still.embedded.clickhouse.engine import Engine, RunOptions, Scope
from still.embedded.stack import Ports, running_stack
from still.front import configure_logs

ROUNDS = 7
BLOCKS = 10
ROWS = 20_000
QUERIES = 500
TABLE = (
    "CREATE TABLE t (conversation_id String, turn UInt32, task LowCardinality(String), label String, text String, "
    "score Float64, ts DateTime64(6), src_partition Int32, src_offset Int64, src_index UInt32, cluster String, "
    "json String, extra Nullable(Int64)) ENGINE = MergeTree ORDER BY (conversation_id, turn)"
)
COLUMNS: list[list[Any]] = [
    [f"conversation-{i // 10}" for i in range(ROWS)],
    [i % 10 for i in range(ROWS)],
    ["intent" if i % 2 else "tools" for i in range(ROWS)],
    [f"label-{i % 77}" for i in range(ROWS)],
    [f"the words of customer {i} " * 6 for i in range(ROWS)],
    [i / 3 for i in range(ROWS)],
    [1_700_000_000_000_000 + i for i in range(ROWS)],
    [i % 4 for i in range(ROWS)],
    list(range(ROWS)),
    [0] * ROWS,
    ["still-cluster"] * ROWS,
    ['{"role":"user","content":"hello"}'] * ROWS,
    [None] * ROWS,
]
NAMES = [column.split()[0] for column in TABLE.partition(") ENGINE")[0].partition("(")[2].split(", ")]


def main() -> None:
    """Measures, in turns, and prints."""
    configure_logs()
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder) / "stack", Ports(0, 0)) as stack:
        engine = Engine(Path(folder) / "engine")
        connection: Any = connect(f"{folder}/engine")
        url = urlsplit(stack.clickhouse_url)
        raw = http.client.HTTPConnection(url.hostname or "", url.port)
        served = clickhouse_connect.get_client(host=url.hostname, port=url.port, compress=False)
        packed = clickhouse_connect.get_client(host=url.hostname, port=url.port, compress="lz4")
        _prepare(served)
        inside = clickhouse_connect.get_client(dsn=f"chdb://{folder}/engine")
        _prepare(inside)
        native = _native(served)
        measured = _in_turns(
            {
                "native_in_process": lambda: _insert_in_process(connection, native),
                "native_http": lambda: _insert_http(raw, native),
                "columns_in_process": lambda: _insert_columns(inside),
                "columns_http": lambda: _insert_columns(served),
                "columns_http_lz4": lambda: _insert_columns(packed),
                "queries_in_process": lambda: _queries_in_process(engine),
                "queries_http": lambda: _queries_http(raw),
                "queries_clickhouse_connect": lambda: _queries_client(served),
            }
        )
        inside.close()
        connection.close()
        engine.close()
    figures = {name: round(value) for name, value in measured.items()}
    figures_of_ratio = {
        f"{kind}_ratio": round(measured[f"{kind}_http"] / measured[f"{kind}_in_process"], 2)
        for kind in ("native", "columns", "queries")
    }
    for name, figure in {**figures, **figures_of_ratio}.items():
        print(f"{name:<28}{figure:>12,}")
    print(json.dumps({**figures, **figures_of_ratio}))


def _prepare(client: Any) -> None:
    """Makes the table; merges would run on into the next measure's turn."""
    client.command(TABLE)
    client.command("SYSTEM STOP MERGES t")


def _in_turns(measures: dict[str, Callable[[], float]]) -> dict[str, float]:
    """Each measure's median rate over rounds in which all take their turn, after one round to warm up."""
    rounds = [{name: measure() for name, measure in measures.items()} for _ in range(ROUNDS + 1)][1:]
    return {name: statistics.median(one[name] for one in rounds) for name in measures}


def _rate(count: int, work: Callable[[], object], times: int) -> float:
    started = time.perf_counter()
    for _ in range(times):
        work()
    return count * times / (time.perf_counter() - started)


def _native(client: Any) -> bytes:
    """One block of the rows as the engine itself writes it."""
    client.insert("t", COLUMNS, column_names=NAMES, column_oriented=True)
    block: bytes = client.raw_query(
        "SELECT * FROM t ORDER BY src_offset SETTINGS max_block_size = 100000", fmt="Native"
    )
    return block


def _insert_in_process(connection: Any, native: bytes) -> float:
    """By chDB's own call for it."""

    def insert() -> None:
        with connection.send_insert("INSERT INTO t", "Native") as inserter:
            inserter.append(native)
            inserter.finish()

    return _rate(ROWS, insert, BLOCKS)


def _insert_http(connection: http.client.HTTPConnection, native: bytes) -> float:
    path = "/?async_insert=0&query=" + quote("INSERT INTO t FORMAT Native")
    return _rate(ROWS, lambda: _post(connection, path, native), BLOCKS)


def _insert_columns(client: Any) -> float:
    def insert() -> None:
        client.insert("t", COLUMNS, column_names=NAMES, column_oriented=True, settings={"async_insert": "0"})

    return _rate(ROWS, insert, BLOCKS)


def _queries_in_process(engine: Engine) -> float:
    scope, options = Scope("default"), RunOptions("TabSeparated", {}, b"SELECT")
    return _rate(1, lambda: engine.run(scope, "bench", b"SELECT 1", options), QUERIES)


def _queries_http(connection: http.client.HTTPConnection) -> float:
    return _rate(1, lambda: _post(connection, "/", b"SELECT 1"), QUERIES)


def _queries_client(client: Any) -> float:
    return _rate(1, lambda: client.query("SELECT 1"), QUERIES)


def _post(connection: http.client.HTTPConnection, path: str, body: bytes) -> None:
    connection.request("POST", path, body=body)
    response = connection.getresponse()
    answer = response.read()
    if response.status != http.HTTPStatus.OK:
        raise RuntimeError(answer.decode())


if __name__ == "__main__":
    main()
