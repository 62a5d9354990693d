"""The embedded stack listens on loopback only, whatever process of it one looks at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from still.embedded.stack import STACK_FILE, read_children
from still.embedded.supervisor import ChildState
from tests.streams.log import eventually

LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def _listeners(pid: int) -> Iterator[tuple[str, str, int]]:
    """Process name, address and port of everything that this process and its children listen on."""
    process = psutil.Process(pid)
    for one in (process, *process.children(recursive=True)):
        for found in one.net_connections(kind="inet"):
            if found.status == psutil.CONN_LISTEN or (found.type.name == "SOCK_DGRAM" and not found.raddr):
                yield one.name(), found.laddr.ip, found.laddr.port


def _assert_loopback(pid: int, least: int) -> None:
    listeners = list(_listeners(pid))
    assert len({port for _, _, port in listeners}) >= least
    assert [one for one in listeners if one[1] not in LOOPBACK] == []


def test_the_whole_stack_is_on_loopback(tmp_path: Path) -> None:
    """`still up` with worker (serving metrics), sink, broker and ClickHouse: no port is open to others."""
    argv = [sys.executable, "-m", "still", "up", "--without", "trainer", "--broker-port", "0", "--clickhouse-port", "0"]
    environment = {**os.environ, "STILL_FOLDER": str(tmp_path)}
    with (tmp_path / "up.log").open("wb") as log:
        process = subprocess.Popen(argv, env=environment, stdout=log, stderr=log)
    try:
        eventually(lambda: process.poll() is not None or _is_up(tmp_path), 90, "a stack of four processes")
        assert process.poll() is None, (tmp_path / "up.log").read_text()
        _assert_loopback(process.pid, least=2)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _is_up(folder: Path) -> bool:
    if not (folder / STACK_FILE).exists():
        return False
    children = read_children(folder)
    return len(children) == 4 and all(child.state is ChildState.READY for child in children.values())


@pytest.mark.apache
@pytest.mark.usefixtures("apache")
def test_apache_is_on_loopback() -> None:
    """The durable broker, its controller included, too."""
    _assert_loopback(os.getpid(), least=2)
