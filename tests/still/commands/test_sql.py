"""`still sql` against the running stack, against a folder whose stack is down, and against nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.text import Text

from still.__main__ import main
from still.embedded.stack import Ports, Stack, running_stack


@pytest.fixture(name="running")
def _running(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names the running stack."""
    monkeypatch.setenv("STILL_CLICKHOUSE_URL", stack.clickhouse_url)


@pytest.mark.usefixtures("running")
def test_parameters_and_formats(capsys: pytest.CaptureFixture[str]) -> None:
    """Values travel as typed parameters; --json gives an object a row, --csv a header."""
    assert main(["sql", "SELECT {n:Int32} + 1 AS next", "-p", "n=4", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"next": 5}
    assert main(["sql", "SELECT 'a,b' AS x, NULL AS y", "--csv"]) == 0
    assert capsys.readouterr().out.splitlines() == ["x,y", '"a,b",']


@pytest.mark.usefixtures("running")
def test_a_wide_result_is_whole_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """No value is cut where another program reads."""
    assert main(["sql", "SELECT repeat('x', 150) AS long_name, repeat('y', 150) AS another_long_name"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].split() == ["long_name", "another_long_name"]
    assert out.splitlines()[1].split() == ["x" * 150, "y" * 150]


@pytest.mark.usefixtures("running")
def test_a_narrow_terminal_shows_one_line_a_value(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that does not fit is shown from top to bottom, with whole names."""
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    assert (
        main(["sql", "SELECT 1 AS certainly_a_long_name, 2 AS certainly_another_long_name, NULL AS the_third_one"]) == 0
    )
    lines = Text.from_ansi(capsys.readouterr().out).plain.splitlines()
    assert [line.split() for line in lines[1:4]] == [
        ["certainly_a_long_name", "1"],
        ["certainly_another_long_name", "2"],
        ["the_third_one", "null"],
    ]


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["SELECT nope"], "UNKNOWN_IDENTIFIER"),
        (["SELECT fromUnixTimestamp64Micro(1790000000000000000, 'UTC')"], "ask for a time as toUnixTimestamp64Micro"),
        (["SELECT 1 FORMAT JSON"], "leave FORMAT out"),
        (["SELECT 1", "--json", "--csv"], "exclude each other"),
        (["SELECT 1", "-p", "n"], "'n' is no name=value"),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """ClickHouse's own words or ours, exit status 2, no traceback."""
    assert main(["sql", *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error


WRITES = [
    "CREATE TABLE {db}.other (n Int64) ENGINE = MergeTree ORDER BY n",
    "DROP TABLE {db}.kept",
    "TRUNCATE TABLE {db}.kept",
    "INSERT INTO {db}.kept VALUES (8)",
    "INSERT INTO {db}.kept SELECT 8",
    "INSERT INTO {db}.kept SELECT 8 SETTINGS readonly = 0",
    "ALTER TABLE {db}.kept DELETE WHERE 1 SETTINGS mutations_sync = 2",
    "DELETE FROM {db}.kept WHERE 1",
    "SET readonly = 0",
]


def _nothing_is_written(db: str, capsys: pytest.CaptureFixture[str], writes: Sequence[str]) -> None:
    for text in writes:
        capsys.readouterr()
        assert main(["sql", text.format(db=db)]) == 2, text
        error = capsys.readouterr().err
        assert "only reads: give --write" in error
        assert "Traceback" not in error
    assert main(["sql", f"SELECT n FROM {db}.kept SETTINGS max_threads = 1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"n": 7}
    assert main(["sql", f"SHOW TABLES FROM {db}", "--csv"]) == 0
    assert capsys.readouterr().out.splitlines() == ["name", "kept"]


@pytest.mark.usefixtures("running")
def test_only_write_lets_a_statement_change_something(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An analyst's slip is refused by ClickHouse itself, whatever the statement; with --write it is done."""
    assert main(["sql", f"CREATE DATABASE IF NOT EXISTS {database}", "--write"]) == 0
    assert main(["sql", f"CREATE TABLE {database}.kept ENGINE = Memory AS SELECT 7 AS n", "--write"]) == 0
    _nothing_is_written(database, capsys, WRITES)
    assert main(["sql", f"DROP TABLE {database}.kept", "--write"]) == 0
    assert main(["sql", f"SHOW TABLES FROM {database}", "--csv"]) == 0
    assert "kept" not in capsys.readouterr().out


def test_the_folder_answers_when_the_stack_is_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The engine opens the data folder for the one query, and says so."""
    with running_stack(tmp_path, Ports(0, 0)) as stack:
        monkeypatch.setenv("STILL_CLICKHOUSE_URL", stack.clickhouse_url)
        monkeypatch.setenv("STILL_FOLDER", str(tmp_path))
        assert main(["sql", "CREATE TABLE default.kept ENGINE = MergeTree ORDER BY n AS SELECT 7 AS n", "--write"]) == 0
    assert main(["sql", "SELECT n FROM default.kept", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out.splitlines()[-1]) == {"n": 7}
    assert "opening" in err
    _nothing_is_written("default", capsys, WRITES[-2:])


def test_nothing_there_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No server and no folder: one line that names the address and the way out."""
    monkeypatch.setenv("STILL_CLICKHOUSE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("STILL_FOLDER", str(tmp_path / "none"))
    assert main(["sql", "SELECT 1"]) == 2
    assert "still up" in capsys.readouterr().err
