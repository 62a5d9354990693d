"""`still init`: says what it will do, does it, does it once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sinks.clickhouse.migrations import migrations
from still.__main__ import main
from still.embedded.stack import Stack
from tests.registry import Registry


@pytest.fixture(autouse=True)
def _environment(
    stack: Stack, database: str, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {
        "BOOTSTRAP_SERVERS": stack.bootstrap_servers,
        "CLICKHOUSE_URL": stack.clickhouse_url,
        "DATABASE": database,
        "TOPIC_PREFIX": topic_prefix,
        "FOLDER": str(tmp_path),
    }
    for name, value in values.items():
        monkeypatch.setenv(f"STILL_{name}", value)


def test_dry_run_prints_and_changes_nothing(capsys: pytest.CaptureFixture[str], database: str) -> None:
    """The statements as SQL, the same at a second look; after a real run only views and room are left to set."""
    assert main(["init", "--dry-run"]) == 0
    planned = capsys.readouterr().out
    assert f"CREATE TABLE IF NOT EXISTS {database}.examples" in planned
    assert main(["init", "--dry-run"]) == 0
    assert capsys.readouterr().out == planned
    assert main(["init"]) == 0
    assert "0001_tables (10 statements), 0002_replays (1 statements)" in capsys.readouterr().out
    assert main(["init", "--dry-run", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert all("VIEW" in statement or "MODIFY SETTING" in statement for statement in again)


def test_a_second_run_says_that_nothing_was_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    """What was done is printed, by step; a second time there is nothing."""
    assert main(["init", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert len(first["migrations"]) == len(migrations())
    assert main(["init"]) == 0
    shown = capsys.readouterr().out
    assert "none new, all are there" in shown
    assert "up to date" in shown


def test_schemas_are_registered(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], topic_prefix: str
) -> None:
    """With a Schema Registry `init` registers, and `doctor` looks every version up."""
    monkeypatch.setenv("STILL_SCHEMA_REGISTRY", registry.url)
    assert main(["init"]) == 0
    assert f"versions registered (at {registry.url})" in capsys.readouterr().out
    assert f"{topic_prefix}scores-value" in registry.subjects
    main(["doctor", "--quick", "--json"])
    findings = {found["check"]: found for found in json.loads(capsys.readouterr().out)}
    assert findings["schema registry"]["well"] is True


def test_an_unregistered_schema_stops_a_process(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A worker or a sink without its schemas in the registry says so in one line."""
    monkeypatch.setenv("STILL_SCHEMA_REGISTRY", registry.url)
    for command in ("worker", "sink"):
        assert main([command]) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert "run `still init` of this version" in line


def test_an_old_database_stops_a_sink(capsys: pytest.CaptureFixture[str]) -> None:
    """A sink before `still init` says what to run."""
    assert main(["sink"]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert "is at migration 0" in line
