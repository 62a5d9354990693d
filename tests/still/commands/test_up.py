"""`still up` with its real processes: what it says, what it keeps, how it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import orjson
import pytest

from tests.up import LANDED_S, Runs, Up, await_conversations, count_of, send_closed, send_turn

CONTACTS = 30
ENDED_S = 10.0 + 2.0
"""The promise, and what the supervisor takes to notice the end."""


def _is_gone(up: Up, name: str, pid: int) -> bool:
    return up.pids().get(name) != pid


@pytest.mark.timeout(900)
def test_a_stop_lands_what_the_memory_broker_holds(runs: Runs) -> None:
    """Ctrl-C waits for what is on its way, closes the contacts that are open, lands them, and says what it kept."""
    up = runs("--without", "trainer", "--drain", "120")
    settings = up.start()
    send_turn(settings, "where is my parcel?", 0, range(CONTACTS))
    send_closed(settings, 1, range(CONTACTS // 2))
    assert up.stop(within_s=200) == 0
    assert f"closed    {CONTACTS - CONTACTS // 2} contacts" in up.said()
    assert "not read  nothing: every record has landed" in up.said()
    assert re.search(rf"^kept .*conversations {CONTACTS}, scores {CONTACTS}\b", up.said(), re.MULTILINE)


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
    send_turn(settings, "where is my parcel?", 0, range(10 * CONTACTS))
    send_closed(settings, 1, range(10 * CONTACTS))
    pids, ended = up.pids(), dict[str, float]()
    for name in ("worker", "sink", "trainer"):
        began = time.monotonic()
        os.kill(pids[name], signal.SIGTERM)
        up.until(partial(_is_gone, up, name, pids[name]), 60, f"{name} ended")
        ended[name] = time.monotonic() - began
    assert max(ended.values()) < ENDED_S, ended
    crashes = [orjson.loads(line) for line in up.said().splitlines() if '"child_crashed"' in line]
    assert {crash["child"]: crash["exit_status"] for crash in crashes} == dict.fromkeys(ended, 0)
    await_conversations(up, settings, 10 * CONTACTS)
    assert count_of(settings, "newest_conversations") == 10 * CONTACTS


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
