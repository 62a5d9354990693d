"""Processes that a test starts: each is ended, however the test ends."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from contextlib import ExitStack

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
