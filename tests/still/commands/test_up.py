"""`still up` with its real processes: what it keeps, what it says, what outlives it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from still import wiring
from still.embedded.stack import read_stack
from still.settings import Settings
from streams.publisher import Publisher
from tests.up import Runs, Up

CONTACTS = 30
LANDED_S = 120.0


def _turn(settings: Settings, text: str, sequence: int, contacts: range) -> None:
    """Turn number `sequence` of each contact, confirmed by the broker."""
    with Publisher(settings.bootstrap_servers) as publisher:
        for number in contacts:
            chat = [{"role": "user", "content": text}]
            publisher.turn(f"contact-{number}", chat, sequence=sequence, customer_id=f"customer-{number}")


def _close(settings: Settings, contacts: range) -> None:
    with Publisher(settings.bootstrap_servers) as publisher:
        for number in contacts:
            publisher.closed(f"contact-{number}", sequence=2)


def _rows(settings: Settings, sql: str) -> list[dict[str, Any]]:
    client = wiring.clickhouse(settings)
    try:
        return client.rows(sql)
    finally:
        client.close()


def _count(settings: Settings, table: str) -> int:
    return int(_rows(settings, f"SELECT count() AS n FROM stillstream.{table}")[0]["n"])


def _await_conversations(up: Up, settings: Settings, count: int) -> None:
    up.until(lambda: _count(settings, "newest_conversations") >= count, LANDED_S, f"{count} conversations landed")


@pytest.mark.apache
@pytest.mark.timeout(600)
def test_nothing_is_lost_when_everything_is_killed(runs: Runs) -> None:
    """What Apache Kafka confirmed outlives kill -9 of the whole stack: open contacts and events nobody had read yet."""
    up = runs("--broker", "apache", "--without", "trainer")
    settings = up.start()
    cluster = read_stack(up.folder).cluster_id
    _turn(settings, "where is my parcel?", 0, range(CONTACTS))
    up.until(lambda: _count(settings, "conversation_events") == CONTACTS, LANDED_S, "first turns landed")
    _turn(settings, "it was order 17", 1, range(CONTACTS))
    up.kill_everything()
    settings = up.start()
    assert read_stack(up.folder).cluster_id == cluster
    _close(settings, range(CONTACTS))
    _await_conversations(up, settings, CONTACTS)
    whole = (
        "SELECT uniqExact(conversation_id) AS n FROM stillstream.conversations"
        " WHERE length(JSONExtractArrayRaw(messages)) = 2"
    )
    up.until(lambda: _rows(settings, whole)[0]["n"] == CONTACTS, LANDED_S, "every contact has both turns")
    up.until(lambda: _count(settings, "conversation_events") == 3 * CONTACTS, LANDED_S, "each event landed")
    places = (
        "SELECT count() AS rows, uniqExact(_cluster, _partition, _offset) AS places"
        " FROM stillstream.conversation_events"
    )
    assert _rows(settings, places) == [{"rows": 3 * CONTACTS, "places": 3 * CONTACTS}]


@pytest.mark.parametrize("missing", ["java", "mvn"])
def test_missing_tool_is_named_before_anything_starts(tmp_path: Path, missing: str) -> None:
    """One line, exit status 2, and a folder in which nothing has begun."""
    tools = tmp_path / "bin"
    tools.mkdir()
    if missing == "mvn":
        said = 'openjdk version "17.0.1"'
        (tools / "java").write_text(f"#!{sys.executable}\nimport sys; sys.stderr.write({said!r})\n", encoding="utf-8")
        (tools / "java").chmod(0o755)
    env = {"PATH": str(tools), "XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    argv = [sys.executable, "-m", "still", "up", "--broker", "apache", "--folder", str(tmp_path / "folder")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=env, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: there is no '{missing}' on the PATH; ")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "folder").exists()
