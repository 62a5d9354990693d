"""Where insert data begins and which format answers, read from a statement's text."""

import pytest

from still.embedded.clickhouse.sql import read_insert, read_statement, with_client_query_ids

INSERTS = [
    (b"INSERT INTO t FORMAT Native\n\x01\x02", b"INSERT INTO t ", "Native", b"\x01\x02"),
    (
        b"insert into `a b`.t (x, `format`) format JSONEachRow {}",
        b"insert into `a b`.t (x, `format`) ",
        "JSONEachRow",
        b"{}",
    ),
    (b"INSERT INTO t FORMAT Values (1)", b"INSERT INTO t ", "Values", b"(1)"),
    (b"INSERT INTO t VALUES (1), (2)", b"INSERT INTO t ", "Values", b" (1), (2)"),
    (b"/* FORMAT x */ INSERT INTO t -- FORMAT y\n FORMAT CSV\r\n1", None, "CSV", b"1"),
    (
        b"INSERT INTO t SETTINGS async_insert = 0 FORMAT TSV\n\n",
        b"INSERT INTO t SETTINGS async_insert = 0 ",
        "TSV",
        b"\n",
    ),
    (b"INSERT INTO format FORMAT RowBinary\n", b"INSERT INTO format ", "RowBinary", b""),
    (b"INSERT INTO db.values VALUES (1)", b"INSERT INTO db.values ", "Values", b" (1)"),
    (
        b"INSERT INTO FUNCTION null('x Int8') FORMAT Native\n\n",
        b"INSERT INTO FUNCTION null('x Int8') ",
        "Native",
        b"\n",
    ),
    (b"INSERT INTO t (a);", b"INSERT INTO t (a)", None, b""),
]
NO_INSERTS = [
    b"SELECT 1",
    b"INSERT INTO t SELECT * FROM u FORMAT Native",
    b"INSERT INTO t (a) SELECT 1",
    b"INSERT INTO t (SELECT 1)",
    b"INSERT INTO t WITH 1 AS x SELECT x",
    b"INSERT INTO t FROM INFILE 'x' FORMAT CSV",
    b"",
]


@pytest.mark.parametrize(("sql", "head", "format_name", "rows"), INSERTS)
def test_insert_splits_into_head_and_rows(sql: bytes, head: bytes | None, format_name: str | None, rows: bytes) -> None:
    """The head ends before FORMAT or VALUES, the rows begin after it, one line end later."""
    found = read_insert(sql)
    assert found is not None
    assert head is None or found.statement == head
    assert (found.format, sql[found.data_start :]) == (format_name, rows)


@pytest.mark.parametrize("sql", NO_INSERTS)
def test_statements_without_client_rows_are_no_inserts(sql: bytes) -> None:
    """An INSERT that brings its own rows is run like any other statement."""
    assert read_insert(sql) is None


@pytest.mark.parametrize(
    ("sql", "format_name", "first_word", "count"),
    [
        (b"SELECT 1 FORMAT JSON", "JSON", b"SELECT", 1),
        (b"SELECT 1 FORMAT JSON SETTINGS max_threads = 1;", "JSON", b"SELECT", 1),
        (b"SELECT 'x FORMAT JSON'", None, b"SELECT", 1),
        (b"SELECT format FROM t", None, b"SELECT", 1),
        (b"SELECT a FROM t ORDER BY format DESC", None, b"SELECT", 1),
        (b"SELECT a AS format FORMAT CSV -- end", "CSV", b"SELECT", 1),
        (b"(SELECT 1) UNION ALL (SELECT 2)", None, b"SELECT", 1),
        (b"-- SELECT\nSHOW TABLES ; ", None, b"SHOW", 1),
        (b"SELECT ';'; DROP TABLE t", None, b"SELECT", 2),
        (b"WITH 1 AS x INSERT INTO t SELECT x", None, b"INSERT", 1),
        (b"WITH insert AS (SELECT 1) SELECT insert", None, b"WITH", 1),
        (b" -- nothing", None, b"", 0),
    ],
)
def test_statement_is_read(sql: bytes, format_name: str | None, first_word: bytes, count: int) -> None:
    """Format, first word and number of statements come from tokens, not from strings, comments or columns."""
    found = read_statement(sql)
    assert (found.format, found.first_word, found.count) == (format_name, first_word, count)


def test_query_ids_are_the_clients() -> None:
    """KILL QUERY and system.processes see the id that the client gave; other statements stay as they are."""
    assert with_client_query_ids(b"KILL QUERY WHERE query_id = 'query_id'").count(b"log_comment") == 2
    assert b"REPLACE" in with_client_query_ids(b"SELECT query_id FROM system.processes")
    for sql in (b"SELECT query_id FROM t", b"SELECT 'system.processes'"):
        assert with_client_query_ids(sql) == sql
