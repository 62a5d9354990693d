"""`still up` as a process of its own, for tests that stop, kill and start it; and what they send and ask."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from still import wiring
from still.embedded.errors import StackNotRunningError
from still.embedded.stack import read_children
from still.settings import Settings, load
from streams.publisher import Publisher

READY_S = 300.0
LANDED_S = 240.0
_UP = "Ctrl-C stops everything in order."


class Up:
    """One folder and the options with which the stack runs on it."""

    def __init__(self, folder: Path, *options: str, env: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.output = folder.with_suffix(".out")
        ports = ("--broker-port", "0", "--clickhouse-port", "0")
        self._argv = (sys.executable, "-m", "still", "up", "--folder", str(folder), *ports, *options)
        self._env = {**os.environ, **(env or {})}
        self.process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Start it, and do not wait."""
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(self._argv, stdout=output, stderr=output, env=self._env)

    def start(self) -> Settings:
        """Start it; returns when every process is ready."""
        self.begin()
        self.until(lambda: _UP in self.said(), READY_S, "the stack is up")
        return load(folder=self.folder)

    def said(self) -> str:
        """What it printed since its start."""
        return self.output.read_text(encoding="utf-8", errors="replace")

    def pids(self) -> dict[str, int]:
        """The processes that run, by name."""
        return {name: child.pid for name, child in read_children(self.folder).items() if child.pid is not None}

    def signal(self, number: signal.Signals) -> None:
        """Send the supervisor a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self, within_s: float = 90.0) -> int:
        """Ctrl-C; the exit status."""
        assert self.process is not None
        self.signal(signal.SIGINT)
        return self.process.wait(within_s)

    def kill_everything(self) -> None:
        """`kill -9` of the supervisor and of every child at once."""
        assert self.process is not None
        children: dict[str, int] = {}
        with contextlib.suppress(StackNotRunningError):
            children = self.pids()
        for pid in (self.process.pid, *children.values()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def until(self, condition: Callable[[], bool], within_s: float, what: str) -> None:
        """Wait for something while the stack runs."""
        assert self.process is not None
        deadline = time.monotonic() + within_s
        while not condition():
            assert self.process.poll() is None, f"`still up` ended before: {what}; it said {self.said()[-3000:]}"
            assert time.monotonic() < deadline, f"not in time: {what}; it said {self.said()[-3000:]}"
            time.sleep(0.1)


def send_turn(settings: Settings, text: str, sequence: int, contacts: range) -> None:
    """Turn number `sequence` of each contact, confirmed by the broker."""
    with Publisher(settings.bootstrap_servers) as publisher:
        for number in contacts:
            chat = [{"role": "user", "content": text}]
            publisher.turn(f"contact-{number}", chat, sequence=sequence, customer_id=f"customer-{number}")


def send_closed(settings: Settings, sequence: int, contacts: range) -> None:
    """The end of each contact, confirmed by the broker."""
    with Publisher(settings.bootstrap_servers) as publisher:
        for number in contacts:
            publisher.closed(f"contact-{number}", sequence=sequence)


def rows_of(settings: Settings, sql: str) -> list[dict[str, Any]]:
    """What ClickHouse answers."""
    client = wiring.clickhouse(settings)
    try:
        return client.rows(sql)
    finally:
        client.close()


def count_of(settings: Settings, table: str) -> int:
    """How many rows a table or view has."""
    return int(rows_of(settings, f"SELECT count() AS n FROM stillstream.{table}")[0]["n"])


def await_conversations(up: Up, settings: Settings, count: int) -> None:
    """Return when so many conversations have landed."""
    up.until(lambda: count_of(settings, "newest_conversations") >= count, LANDED_S, f"{count} conversations landed")


Runs = Callable[..., Up]


@pytest.fixture(name="runs")
def _runs(tmp_path: Path) -> Iterator[Runs]:
    """Makes `still up` on a folder of the test, with options; whatever still runs at the end is killed."""
    made: list[Up] = []

    def make(*options: str, env: dict[str, str] | None = None) -> Up:
        made.append(Up(tmp_path / "folder", *options, env=env))
        return made[-1]

    yield make
    for up in made:
        if up.process is not None and up.process.poll() is None:
            up.kill_everything()
