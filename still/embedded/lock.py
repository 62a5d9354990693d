"""One process per folder: an advisory lock that dies with its holder.

The kernel drops the lock when the holder ends, however it ends, so a lock is never stale;
the text in the file only says who holds it.
"""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from still.embedded.errors import FolderHeldError

# A holder that was just killed takes a moment to die, and `is_held` locks for an instant.
_PATIENCE_S = 1.0


@contextlib.contextmanager
def folder_lock(folder: Path, name: str) -> Iterator[None]:
    """Holds `folder/name` for as long as the context lasts.

    Raises:
        FolderHeldError: another process holds it; the message names its pid and since when.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    with path.open("a+", encoding="utf-8") as file:
        deadline = time.monotonic() + _PATIENCE_S
        while not _try_lock(file):
            if time.monotonic() > deadline:
                raise FolderHeldError(_held_message(folder, path))
            time.sleep(0.02)
        file.truncate(0)
        file.write(json.dumps({"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}))
        file.flush()
        yield


def is_held(folder: Path, name: str) -> bool:
    """Whether some process holds `folder/name` now."""
    try:
        file = (folder / name).open("r", encoding="utf-8")
    except FileNotFoundError:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _held_message(folder: Path, path: Path) -> str:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        who = f"process {holder['pid']} since {holder['since']}"
    except (json.JSONDecodeError, KeyError):
        who = "a process that has only just started"
    return f"{str(folder)!r} is held by {who}; use that one, stop it, or choose another folder"
