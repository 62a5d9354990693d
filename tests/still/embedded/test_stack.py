"""The stack of one folder: found by others, held once, whole again after any kill."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from still.embedded.broker import cluster_id_of
from still.embedded.errors import FolderHeldError, StackNotRunningError
from still.embedded.lock import folder_lock
from still.embedded.stack import (
    LOCK_NAME,
    STACK_FILE,
    EmbeddedStack,
    Ports,
    absence,
    embedded_stack,
    read_children,
    read_stack,
    running_stack,
)
from still.embedded.supervisor import ChildState

ANY = Ports(broker=0, clickhouse=0)
_RUN = """
import sys, time
from pathlib import Path
from still.embedded.stack import Ports, running_stack
with running_stack(Path(sys.argv[1]), Ports(0, 0)):
    print("up", flush=True)
    time.sleep(60)
"""


def _ask(url: str, sql: str) -> str:
    return httpx.post(url, content=sql, timeout=30).raise_for_status().text


def test_a_full_disk_ends_no_child(tmp_path: Path) -> None:
    """Where `stack.json` cannot be written, a child's crash is told in the log, and children and supervisor go on."""
    with embedded_stack(tmp_path, ANY) as running, capture_logs() as events:
        part = tmp_path / f"{STACK_FILE}.part"
        part.mkdir()  # what cannot be written
        broker, clickhouse = running.supervisor.statuses().values()
        os.kill(clickhouse.pid or 0, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while (now := running.supervisor.statuses()["clickhouse"]).restarts == 0 or now.state is not ChildState.READY:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert running.supervisor.statuses()["broker"] == broker
        part.rmdir()
    assert "stack_file_not_written" in [event["event"] for event in events]


def test_a_running_stack_is_found_and_held(tmp_path: Path) -> None:
    """Others read where it is; a second start says who holds the folder; after the stop it is gone."""
    with running_stack(tmp_path, ANY) as stack:
        assert read_stack(tmp_path) == stack
        assert {child.state for child in read_children(tmp_path).values()} == {ChildState.READY}
        found = json.loads((tmp_path / STACK_FILE).read_text(encoding="utf-8"))
        assert (found["bootstrap_servers"], found["pid"]) == (stack.bootstrap_servers, os.getpid())
        with pytest.raises(FolderHeldError, match=f"process {os.getpid()} since"), running_stack(tmp_path, ANY):
            pass
        assert _ask(stack.clickhouse_url, "SELECT 1") == "1\n"
    with pytest.raises(StackNotRunningError, match="start one with `still up`"):
        read_stack(tmp_path)
    assert not (tmp_path / STACK_FILE).exists()


def test_a_stack_comes_back_after_kill_minus_nine(tmp_path: Path) -> None:
    """After kill -9 of the supervisor its children are gone, its file is stale, and a new start has all rows."""
    with subprocess.Popen([sys.executable, "-c", _RUN, str(tmp_path)], stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "up\n"
        old = read_stack(tmp_path)
        _ask(old.clickhouse_url, "CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")
        _ask(old.clickhouse_url, "INSERT INTO t VALUES (7)")
        first.kill()
    assert (tmp_path / STACK_FILE).exists()
    with pytest.raises(StackNotRunningError):
        read_stack(tmp_path)
    with running_stack(tmp_path, ANY) as new:
        assert new.cluster_id != old.cluster_id
        assert _ask(new.clickhouse_url, "SELECT a FROM t") == "7\n"
    assert cluster_id_of(old.bootstrap_servers, timeout_s=0.5) is None
    with pytest.raises(httpx.ConnectError):
        _ask(old.clickhouse_url, "SELECT 1")


def test_a_start_forgets_where_a_killed_stack_was(tmp_path: Path) -> None:
    """While the new one is starting nobody is sent to the old ports: another folder's stack may listen there by now."""
    with running_stack(tmp_path, ANY):
        left = (tmp_path / STACK_FILE).read_bytes()
    (tmp_path / STACK_FILE).write_bytes(left)
    with folder_lock(tmp_path, LOCK_NAME):
        EmbeddedStack(tmp_path, ANY)
        with pytest.raises(StackNotRunningError):
            read_stack(tmp_path)
        assert "is starting or stopping" in (absence(tmp_path) or "")


def test_a_killed_broker_comes_back_as_another_cluster(tmp_path: Path) -> None:
    """A broker that lost its memory gets a new cluster id, and `stack.json` says so."""
    with running_stack(tmp_path, ANY) as stack:
        pid = read_children(tmp_path)["broker"].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while read_stack(tmp_path).cluster_id == stack.cluster_id and time.monotonic() < deadline:
            time.sleep(0.02)
        assert read_stack(tmp_path).cluster_id != stack.cluster_id
        assert read_stack(tmp_path).bootstrap_servers == stack.bootstrap_servers
        assert read_children(tmp_path)["broker"].restarts == 1
