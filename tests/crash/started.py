"""Processes that a test starts, or stops for a while: each is ended, or goes on, however the test ends."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from still.embedded.stack import EmbeddedStack
from tests.streams.log import eventually


def end(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    """SIGKILL for those that live, also for one that stands still."""
    for process in processes:
        process.kill()
        process.wait()


def once_ready(
    process: subprocess.Popen[bytes], ready: Callable[[], bool], within_s: float, what: str
) -> subprocess.Popen[bytes]:
    """The process when it is ready, or dead; what is neither in time is ended and fails the test."""
    with ExitStack() as undo:
        undo.callback(end, [process])
        eventually(lambda: ready() or process.poll() is not None, within_s, what)
        undo.pop_all()
    return process


def resident(pid: int) -> int:
    """What a process holds in memory, bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def standing_still(running: EmbeddedStack, name: str) -> Iterator[None]:
    """A child of the stack that stands still: it takes connections, and answers none."""
    child = running.supervisor.statuses()[name].pid
    assert child is not None
    os.kill(child, signal.SIGSTOP)
    stat = Path(f"/proc/{child}/stat")
    try:
        eventually(
            lambda: stat.read_text(encoding="ascii").rpartition(")")[2].split()[0] == "T", 10, f"a {name} that stands"
        )
        yield
    finally:
        os.kill(child, signal.SIGCONT)
