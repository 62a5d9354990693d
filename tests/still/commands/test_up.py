"""`still up` with its real processes: what it keeps, what it says, what outlives it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

from still import wiring
from still.embedded.stack import read_stack
from still.settings import Settings
from streams.publisher import Publisher
from tests import adapters
from tests.up import Runs, Up

CONTACTS = 30
LANDED_S = 240.0
ENDED_S = 10.0 + 2.0
"""The promise, and what the supervisor takes to notice the end."""


def _turn(settings: Settings, text: str, sequence: int, contacts: range) -> None:
    """Turn number `sequence` of each contact, confirmed by the broker."""
    with Publisher(settings.bootstrap_servers) as publisher:
        for number in contacts:
            chat = [{"role": "user", "content": text}]
            publisher.turn(f"contact-{number}", chat, sequence=sequence, customer_id=f"customer-{number}")


def _close(settings: Settings, sequence: int, contacts: range) -> None:
    with Publisher(settings.bootstrap_servers) as publisher:
        for number in contacts:
            publisher.closed(f"contact-{number}", sequence=sequence)


def _rows(settings: Settings, sql: str) -> list[dict[str, Any]]:
    client = wiring.clickhouse(settings)
    try:
        return client.rows(sql)
    finally:
        client.close()


def _count(settings: Settings, table: str) -> int:
    return int(_rows(settings, f"SELECT count() AS n FROM stillstream.{table}")[0]["n"])


def _is_gone(up: Up, name: str, pid: int) -> bool:
    return up.pids().get(name) != pid


def _await_conversations(up: Up, settings: Settings, count: int) -> None:
    up.until(lambda: _count(settings, "newest_conversations") >= count, LANDED_S, f"{count} conversations landed")


@pytest.mark.apache
@pytest.mark.timeout(900)
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
    _close(settings, 2, range(CONTACTS))
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


@pytest.mark.timeout(900)
def test_a_stop_lands_what_the_memory_broker_holds(runs: Runs) -> None:
    """Ctrl-C waits for what is on its way, closes the contacts that are open, lands them, and says what it kept."""
    up = runs("--without", "trainer", "--drain", "120")
    settings = up.start()
    _turn(settings, "where is my parcel?", 0, range(CONTACTS))
    _close(settings, 1, range(CONTACTS // 2))
    assert up.stop(within_s=200) == 0
    assert f"closed    {CONTACTS - CONTACTS // 2} contacts" in up.said()
    assert "not read  nothing: every record has landed" in up.said()
    assert re.search(rf"^kept .*conversations {CONTACTS}, scores {CONTACTS}\b", up.said(), re.MULTILINE)


@pytest.mark.timeout(900)
def test_a_killed_broker_is_told_and_the_stack_goes_on(runs: Runs) -> None:
    """After kill -9 of the memory broker topics and model events are there again, the loss is told, new events land."""
    up = runs("--without", "trainer")
    settings = up.start()
    event = adapters.event("intent-00001-3fa9c1d2")
    wiring.registry(settings).record(event)
    wiring.announcer(settings).announce(event)
    _turn(settings, "where is my parcel?", 0, range(CONTACTS))
    up.until(lambda: _count(settings, "conversation_events") == CONTACTS, LANDED_S, "the turns landed")
    cluster = read_stack(up.folder).cluster_id
    os.kill(up.pids()["broker"], signal.SIGKILL)
    up.until(lambda: "the broker died and came back empty" in up.said(), LANDED_S, "the loss is told")
    assert f"{CONTACTS} contacts had not become conversations" in up.said()
    assert read_stack(up.folder).cluster_id != cluster
    assert wiring.announcer(settings).announced() == {event.event_id}
    _turn(settings, "where is my parcel?", 0, range(CONTACTS))
    _close(settings, 1, range(CONTACTS))
    _await_conversations(up, settings, CONTACTS)
    now = read_stack(up.folder).cluster_id
    made_of = _rows(settings, "SELECT DISTINCT src_cluster AS cluster FROM stillstream.conversations")
    assert made_of == [{"cluster": now}]


@pytest.mark.timeout(300)
def test_a_stop_during_the_start_is_heard(runs: Runs) -> None:
    """Ctrl-C before everything is up ends what is up already, says so, and does not go on starting."""
    up = runs()
    up.begin()
    up.until((up.folder / "logs" / "clickhouse.log").exists, LANDED_S, "ClickHouse is being started")
    assert up.stop() == 1
    assert "stopped before everything was up" in up.said()
    assert "Ctrl-C stops everything" not in up.said()
    assert not (up.folder / "stack.json").exists()


@pytest.mark.timeout(900)
def test_each_process_ends_within_ten_seconds_of_sigterm(runs: Runs) -> None:
    """SIGTERM, under load, ends worker, sink and trainer in time and with status 0; what they had not done is there."""
    up = runs()
    settings = up.start()
    _turn(settings, "where is my parcel?", 0, range(10 * CONTACTS))
    _close(settings, 1, range(10 * CONTACTS))
    pids, ended = up.pids(), dict[str, float]()
    for name in ("worker", "sink", "trainer"):
        began = time.monotonic()
        os.kill(pids[name], signal.SIGTERM)
        up.until(partial(_is_gone, up, name, pids[name]), 60, f"{name} ended")
        ended[name] = time.monotonic() - began
    assert max(ended.values()) < ENDED_S, ended
    crashes = [orjson.loads(line) for line in up.said().splitlines() if '"child_crashed"' in line]
    assert {crash["child"]: crash["exit_status"] for crash in crashes} == dict.fromkeys(ended, 0)
    _await_conversations(up, settings, 10 * CONTACTS)
    assert _count(settings, "newest_conversations") == 10 * CONTACTS


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
