"""One training run at a time below one folder, across processes; the lock dies with its holder, kill -9 included."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from trainers.errors import TrainerBusy

log = structlog.get_logger(__name__)

LOCK = "trainer.lock"
_POLL_S = 0.5


@contextmanager
def only_trainer(folder: Path, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the folder's lock; the file names the holder's pid.

    Raises:
        TrainerBusy: another process still holds it after `wait_s` seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a+", encoding="ascii") as file:
        _take(file.fileno(), folder / LOCK, time.monotonic() + wait_s)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _take(descriptor: int, path: Path, deadline: float) -> None:
    waiting = False
    while not _taken(descriptor):
        holder = path.read_text(encoding="ascii") or "unknown"
        if time.monotonic() >= deadline:
            raise TrainerBusy(f"process {holder} trains below {path.parent}; wait for it or stop it")
        if not waiting:
            log.info("waiting_for_other_trainer", pid=holder)
        waiting = True
        time.sleep(_POLL_S)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
