"""The embedded stack listens on loopback only, whatever process of it one looks at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from still.embedded.stack import STACK_FILE, read_children
from still.embedded.supervisor import ChildState
from tests.streams.log import eventually

SECRETS = {
    "STILL_CLICKHOUSE_PASSWORD": "hidden-clickhouse",
    "STILL_CUSTOMER_KEY": "hidden-customer-key-0123456789",
    "STILL_KAFKA_PASSWORD": "hidden-kafka",
    "STILL_SCHEMA_REGISTRY_PASSWORD": "hidden-registry",
}
LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


class Up(NamedTuple):
    """A running `still up`."""

    folder: Path
    pid: int
    environment: dict[str, str]


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


@pytest.fixture(scope="module", name="up")
def _up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """`still up` with worker, sink, broker and ClickHouse, and with secrets in its environment."""
    folder = tmp_path_factory.mktemp("up")
    argv = [sys.executable, "-m", "still", "up", "--without", "trainer", "--broker-port", "0", "--clickhouse-port", "0"]
    environment = {**os.environ, **SECRETS, "STILL_FOLDER": str(folder), "STILL_LOG_LEVEL": "debug"}
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen(argv, env=environment, stdout=log, stderr=log)
    try:
        eventually(lambda: process.poll() is not None or _is_up(folder), 90, "a stack of four processes")
        assert process.poll() is None, (folder / "up.log").read_text()
        yield Up(folder, process.pid, environment)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def test_the_whole_stack_is_on_loopback(up: Up) -> None:
    """No port of any process of `still up` is open to others."""
    _assert_loopback(up.pid, least=2)


def test_secrets_stay_in_the_environment(up: Up) -> None:
    """Neither argument lists nor logs nor `stack.json` nor `still doctor` show a secret."""
    process = psutil.Process(up.pid)
    shown = [" ".join(one.cmdline()) for one in (process, *process.children(recursive=True))]
    files = [
        up.folder / "up.log",
        up.folder / STACK_FILE,
        *(up.folder / "logs").iterdir(),
        *(up.folder / "run").iterdir(),
    ]
    shown += [file.read_text(encoding="utf-8", errors="replace") for file in files]
    argv = [sys.executable, "-m", "still", "doctor"]
    for more in ([], ["--json"]):
        done = subprocess.run(
            [*argv, *more], env=up.environment, capture_output=True, text=True, timeout=90, check=False
        )
        assert "ClickHouse" in done.stdout
        shown += [done.stdout, done.stderr]
    assert len(shown) > 10
    assert [text for text in shown if "hidden" in text] == []


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
