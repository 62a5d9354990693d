"""ClickHouse's HTTP interface as curl uses it."""

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator

import httpx
import lz4.frame
import pytest
import zstandard

TABLE = "CREATE TABLE t (a UInt64, b String) ENGINE = MergeTree ORDER BY a"


def _ask(http: httpx.Client, sql: str, **params: str) -> str:
    response = http.post("/", content=sql, params=params)
    assert response.status_code == 200, response.text
    return response.text


def test_pages_of_a_server(http: httpx.Client) -> None:
    """Liveness pages answer as a server's do, and an unknown page is a 404."""
    assert [http.get(path).text for path in ("/ping", "/replicas_status")] == ["Ok.\n", "Ok.\n"]
    assert http.get("/nowhere").status_code == 404


def test_query_in_url_body_or_both(http: httpx.Client) -> None:
    """The statement may stand in the URL, in the body, or begin in one and go on in the other."""
    assert http.get("/", params={"query": "SELECT 1"}).text == "1\n"
    assert http.post("/", content="SELECT 2").text == "2\n"
    assert http.post("/", params={"query": "SELECT count()"}, content="FROM numbers(3)").text == "3\n"


def test_formats(http: httpx.Client) -> None:
    """FORMAT wins over the header, the header over TabSeparated; JSON and Parquet are whole files."""
    assert _ask(http, "SELECT 1 AS x, 'a' AS y FORMAT JSONEachRow") == '{"x":1,"y":"a"}\n'
    assert _ask(http, "SELECT 1, 'a'", default_format="CSV") == '1,"a"\n'
    assert http.post("/", content="SELECT 1 AS x", headers={"X-ClickHouse-Format": "JSON"}).json()["rows"] == 1
    many = json.loads(_ask(http, "SELECT number FROM numbers(200000) SETTINGS max_block_size = 1000 FORMAT JSON;"))
    assert (many["rows"], many["data"][-1]["number"]) == (200000, 199999)
    parquet = http.post("/", content="SELECT number FROM numbers(10) FORMAT Parquet").content
    assert (parquet[:4], parquet[-4:]) == (b"PAR1", b"PAR1")


def test_headers_of_an_answer(http: httpx.Client) -> None:
    """A client learns query id, format, time zone and summary from headers."""
    headers = http.post("/", content="SELECT 1", params={"query_id": "mine"}).headers
    assert headers["X-ClickHouse-Query-Id"] == "mine"
    assert headers["X-ClickHouse-Format"] == "TabSeparated"
    assert headers["X-ClickHouse-Timezone"]
    assert "read_rows" in json.loads(headers["X-ClickHouse-Summary"])


@pytest.mark.parametrize("value", ["it's", 'a"b`c', "\\", "x\ty\nz", "'; DROP TABLE t; --", "日本", "{a:String}"])
def test_parameters_are_safe(http: httpx.Client, value: str) -> None:
    """A parameter's value is data whatever it holds (sent escaped as in TSV, as ClickHouse asks)."""
    escaped = value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
    assert json.loads(_ask(http, "SELECT {v:String} AS v FORMAT JSONEachRow", param_v=escaped)) == {"v": value}


def test_parameters_in_values(http: httpx.Client) -> None:
    """A parameter may stand among an INSERT's values."""
    _ask(http, TABLE)
    _ask(http, "INSERT INTO t VALUES ({a:UInt64}, {b:String})", param_a="7", param_b="it's")
    assert _ask(http, "SELECT * FROM t") == "7\tit\\'s\n"


@pytest.mark.parametrize(
    ("sql", "status", "code", "name"),
    [
        ("SELECT * FROM nowhere", 404, 60, "UNKNOWN_TABLE"),
        ("SELECTT 1", 400, 62, "SYNTAX_ERROR"),
        ("SELECT 1; SELECT 2", 400, 62, "SYNTAX_ERROR"),
        ("", 400, 62, "SYNTAX_ERROR"),
        ("SELECT nothing", 404, 47, "UNKNOWN_IDENTIFIER"),
        ("SELECT throwIf(1)", 500, 395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
        ("SELECT 1 FORMAT Nope", 404, 73, "UNKNOWN_FORMAT"),
        ("INSERT INTO nowhere VALUES (1)", 404, 60, "UNKNOWN_TABLE"),
        ('INSERT INTO t FORMAT JSONEachRow {"a": "x"}', 400, 27, "CANNOT_PARSE_INPUT_ASSERTION_FAILED"),
    ],
)
def test_errors_speak_clickhouse(http: httpx.Client, sql: str, status: int, code: int, name: str) -> None:
    """Status, number, name and version stand where a server puts them, and the next answer is clean."""
    _ask(http, TABLE)
    response = http.post("/", content=sql)
    assert (response.status_code, response.headers["X-ClickHouse-Exception-Code"]) == (status, str(code))
    assert response.text.startswith(f"Code: {code}. DB::Exception: ")
    assert f"({name}) (version " in response.text
    assert _ask(http, "SELECT 1") == "1\n"


@pytest.mark.parametrize(
    ("sql", "code", "name"),
    [
        (b"SELECT throwIf(1, unhex('ff'))", 395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
        (b"SELECT throwIf(number = 70000, unhex('ff')) FROM numbers(70001) FORMAT JSON", 395, "FUNCTION_THROW_IF"),
        (b"INSERT INTO t FORMAT JSONEachRow " + b"\x00\xff" * 1000, 27, "CANNOT_PARSE_INPUT_ASSERTION_FAILED"),
        (b"INSERT INTO t (a) VALUES ('\xff')", 6, "CANNOT_PARSE_TEXT"),
    ],
    ids=str,
)
def test_an_error_whose_words_are_no_text_is_answered(http: httpx.Client, sql: bytes, code: int, name: str) -> None:
    """Bytes of the query stand in the engine's words; number and name survive them, and nothing lands."""
    _ask(http, TABLE)
    response = http.post("/", content=sql)
    assert response.headers["X-ClickHouse-Exception-Code"] == str(code)
    assert response.text.startswith(f"Code: {code}. DB::Exception: ")
    assert "\N{REPLACEMENT CHARACTER}" in response.text
    assert f"({name}" in response.text
    assert _ask(http, "SELECT count() FROM t") == "0\n"


@pytest.mark.parametrize("url", ["database=%ff", "query_id=%ff", "max_threads=%ff", "param_x=%ff", "x%ff=1"])
def test_a_parameter_that_is_no_text_is_refused(http: httpx.Client, url: str) -> None:
    """The engine takes text there: an answer that names the parameter, not a hang-up."""
    response = httpx.post(f"{http.base_url}?{url}", content=b"SELECT 1", timeout=30)
    assert response.headers["X-ClickHouse-Exception-Code"] == "36"
    assert "is no UTF-8" in response.text


def test_unknown_settings_and_databases(http: httpx.Client) -> None:
    """A misspelt setting or database is an error, not ignored."""
    assert (
        http.post("/", content="SELECT 1", params={"max_thread": "1"}).headers["X-ClickHouse-Exception-Code"] == "115"
    )
    assert http.post("/", content="SELECT 1", params={"database": "no"}).headers["X-ClickHouse-Exception-Code"] == "81"
    assert http.post("/", content="SELECT 1", params={"a b": "1"}).headers["X-ClickHouse-Exception-Code"] == "115"


def test_get_only_reads(http: httpx.Client) -> None:
    """A GET cannot change anything, as in ClickHouse."""
    response = http.get("/", params={"query": TABLE})
    assert response.headers["X-ClickHouse-Exception-Code"] == "164"


def test_settings_hold_for_one_request(http: httpx.Client) -> None:
    """A request's settings, SET and USE reach its own statement only."""
    ask = "SELECT getSetting('max_block_size'), currentDatabase()"
    before = _ask(http, ask)
    assert _ask(http, ask, max_block_size="123").startswith("123\t")
    _ask(http, "SET max_block_size = 77")
    _ask(http, "USE system")
    assert _ask(http, ask) == before


def _chunked(*pieces: bytes) -> Iterator[bytes]:
    yield from pieces


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("lz4", lz4.frame.compress), ("zstd", zstandard.ZstdCompressor().compress)],
)
def test_chunked_body_of_several_frames(http: httpx.Client, encoding: str, compress: Callable[[bytes], bytes]) -> None:
    """Every frame of a chunked, compressed body is stored, not only the first."""
    _ask(http, TABLE)
    frames = [compress(f'{{"a":{i},"b":"x"}}\n'.encode()) for i in range(50)]
    response = http.post(
        "/",
        params={"query": "INSERT INTO t FORMAT JSONEachRow"},
        content=_chunked(*frames),
        headers={"Content-Encoding": encoding},
    )
    assert response.status_code == 200, response.text
    assert json.loads(response.headers["X-ClickHouse-Summary"])["written_rows"] == "50"
    assert _ask(http, "SELECT count(), sum(a) FROM t") == "50\t1225\n"


def test_a_body_cut_short_stores_nothing(http: httpx.Client) -> None:
    """A compressed body that ends inside a frame, or a broken second block, leaves no row behind."""
    _ask(http, TABLE)
    native = http.post("/", content="SELECT number AS a, 'x' AS b FROM numbers(1000) FORMAT Native").content
    cut = lz4.frame.compress(native) + lz4.frame.compress(native)[:-9]
    insert = {"query": "INSERT INTO t FORMAT Native"}
    response = http.post("/", params=insert, content=cut, headers={"Content-Encoding": "lz4"})
    assert response.headers["X-ClickHouse-Exception-Code"] == "271"
    assert http.post("/", params=insert, content=native + native[:500]).status_code >= 400
    assert _ask(http, "SELECT count() FROM t") == "0\n"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_compressed_answers(http: httpx.Client, encoding: str) -> None:
    """Answers are compressed where the client asks for it, small and streamed ones alike."""
    for rows in (1, 300_000):
        query = {"query": f"SELECT number FROM numbers({rows})", "enable_http_compression": "1"}
        response = http.get("/", params=query, headers={"Accept-Encoding": encoding})
        assert response.headers["Content-Encoding"] == encoding
        assert response.text.count("\n") == rows
    assert (
        "Content-Encoding"
        not in http.get("/", params={"query": "SELECT 1"}, headers={"Accept-Encoding": "gzip"}).headers
    )


def test_kill_query_by_the_clients_id(http: httpx.Client, database: str) -> None:
    """KILL QUERY finds a running query by the id its client gave, and the query's client is told."""
    query_id = f"slow:{database}"
    answers: list[httpx.Response] = []
    slow = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1"
    runner = threading.Thread(
        target=lambda: answers.append(http.post("/", content=slow, params={"query_id": query_id}))
    )
    runner.start()
    seen = f"SELECT count() FROM system.processes WHERE query_id = '{query_id}'"
    deadline = time.monotonic() + 10
    while _ask(http, seen) != "1\n" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "finished" in _ask(http, f"KILL QUERY WHERE query_id = '{query_id}' SYNC")
    runner.join(10)
    assert answers[0].headers["X-ClickHouse-Exception-Code"] == "394"
    assert _ask(http, seen) == "0\n"


def test_a_query_ends_when_its_client_hangs_up(http: httpx.Client, database: str) -> None:
    """Where the client asks for it, as clickhouse-connect does, an abandoned query is cancelled."""
    query_id = f"abandoned:{database}"
    params = {"query_id": query_id, "cancel_http_readonly_queries_on_client_close": "1"}
    slow = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1"
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(str(http.base_url), content=slow, params=params, timeout=0.5)
    seen = f"SELECT count() FROM system.processes WHERE query_id = '{query_id}'"
    deadline = time.monotonic() + 10
    while _ask(http, seen) != "0\n" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _ask(http, seen) == "0\n"


def test_small_queries_pass_a_large_one(http: httpx.Client) -> None:
    """Queries run side by side: a small one does not wait for a large one."""
    large = threading.Thread(
        target=http.post,
        args=("/",),
        kwargs={"content": "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1",
                "params": {"max_execution_time": "3"}},
    )  # fmt: skip
    large.start()
    answered = 0
    while large.is_alive() and answered < 20:
        assert _ask(http, "SELECT 1") == "1\n"
        answered += 1
    assert answered == 20
    _ask(http, "KILL QUERY WHERE query LIKE '%sipHash64%' AND query NOT LIKE 'KILL%' ASYNC")
    large.join(10)


def test_many_clients_at_once(http: httpx.Client) -> None:
    """Concurrent readers and writers see consistent tables and no error."""
    _ask(http, TABLE)
    failures: list[str] = []

    def work(worker: int) -> None:
        for i in range(20):
            response = http.post("/", content=f"INSERT INTO t VALUES ({worker * 100 + i}, 'x')")
            failures.extend([response.text] if response.status_code != 200 else [])
            failures.extend([] if _ask(http, "SELECT 1") == "1\n" else ["mixed up"])

    workers = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert failures == []
    assert _ask(http, "SELECT count(), uniqExact(a) FROM t") == "160\t160\n"


def test_settings_of_an_insert_reach_the_engine(http: httpx.Client) -> None:
    """A block sent again with the same token is stored once; with another token it is stored again."""
    _ask(http, TABLE + " SETTINGS non_replicated_deduplication_window = 100, fsync_after_insert = 1")
    for token in ("one", "one", "two"):
        _ask(http, "INSERT INTO t VALUES (1, 'x')", insert_deduplication_token=token, async_insert="0")
    assert _ask(http, "SELECT count() FROM t") == "2\n"


LANDING = [
    ("INSERT INTO t VALUES (1, 'x')", ""),
    ("INSERT INTO t VALUES", "(1, 'x')"),
    ("INSERT INTO t VALUES\n(1, concat('a', 'b'));\n", ""),
    ("INSERT INTO t (a) FORMAT Values (1)", ""),
    ("INSERT INTO t FORMAT JSONEachRow", '{"a": 1, "b": "x"}'),
    ('INSERT INTO t FORMAT JSONEachRow {"a": 1}', ""),
    ("INSERT INTO t FORMAT CSV", "1,x"),
    ("INSERT INTO t SETTINGS async_insert = 1 FORMAT CSV\n1,x\n", ""),
    ("WITH 1 AS a INSERT INTO t SELECT a, 'x'", ""),
]


@pytest.mark.parametrize("inline", [True, False])
@pytest.mark.parametrize(("statement", "rows"), LANDING)
def test_an_insert_by_hand_lands(http: httpx.Client, statement: str, rows: str, *, inline: bool) -> None:
    """Rows in the URL, in the body, or behind the statement in the body land before the answer comes."""
    _ask(http, TABLE)
    whole = f"{statement} {rows}" if rows else statement
    response = http.post("/", content=whole) if inline else http.post("/", params={"query": statement}, content=rows)
    assert response.status_code == 200, response.text
    assert _ask(http, "SELECT count(), sum(a) FROM t") == "1\t1\n"


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("INSERT INTO t VALUES (13, 'x')", "469"),
        ("INSERT INTO t VALUES (1, 'x'), (13, 'x')", "469"),
        ('INSERT INTO t FORMAT JSONEachRow {"a": 13}', "469"),
        ("INSERT INTO t FORMAT CSV\n13,x\n", "469"),
        ("INSERT INTO t SELECT 13, 'x'", "469"),
        ("INSERT INTO t VALUES (1, 'x'); INSERT INTO t VALUES (2, 'x')", "27"),
        ("INSERT INTO t VALUES (7, 'x')", "395"),
    ],
)
def test_an_insert_that_does_not_land_is_an_error(http: httpx.Client, statement: str, code: str) -> None:
    """What the table's end refuses (a constraint, a view) is told, never answered with success and no row."""
    _ask(http, f"CREATE TABLE t (a UInt64, b String, CONSTRAINT no_13 CHECK a != 13) {TABLE.partition(') ')[2]}")
    _ask(http, "CREATE MATERIALIZED VIEW v ENGINE = Null AS SELECT throwIf(a = 7) AS c FROM t")
    response = http.post("/", content=statement)
    assert response.headers.get("X-ClickHouse-Exception-Code") == code, response.text
    assert _ask(http, "SELECT count() FROM t WHERE a != 7") == "0\n"


@pytest.mark.parametrize("asynchronous", ["0", "1"])
def test_inserts_by_hand_of_many_threads_land_or_say_why(http: httpx.Client, asynchronous: str) -> None:
    """Of inserts side by side, good ones and failing ones, exactly the acknowledged ones are there."""
    _ask(http, f"CREATE TABLE t (a UInt64, b String, CONSTRAINT no_13 CHECK a % 13 != 0) {TABLE.partition(') ')[2]}")
    url, params = str(http.base_url), {**http.params, "async_insert": asynchronous}
    landed: list[int] = []

    def work(worker: int) -> None:
        forms = (
            "VALUES ({}, 'x')",
            'FORMAT JSONEachRow {{"a": {}}}',
            "SELECT {}, 'x'",
        )
        with httpx.Client(base_url=url, params=params, timeout=60) as mine:
            for a in range(worker * 100 + 1, worker * 100 + 40):
                answer = mine.post("/", content=f"INSERT INTO t {forms[a % 3].format(a)}")
                landed.extend([a] if answer.status_code == 200 else [])

    workers = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert sorted(landed) == [int(line) for line in _ask(http, "SELECT a FROM t ORDER BY a").split()]
    assert len(landed) == sum(a % 13 != 0 for n in range(6) for a in range(n * 100 + 1, n * 100 + 40))
