"""How a long-running process says that it is ready: a small file under `<folder>/run/` with its process id.

A file that a killed process left behind names a process that is gone, and counts for nothing.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path


def announce(folder: Path, name: str) -> None:
    """Say that process `name`, this one, is ready."""
    file = _file(folder, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(f".{os.getpid()}")
    part.write_text(str(os.getpid()), encoding="ascii")
    part.replace(file)


def announce_when(ready: threading.Event, folder: Path, name: str) -> None:
    """Say it as soon as the event is set, from a thread that keeps no process alive."""

    def wait() -> None:
        ready.wait()
        announce(folder, name)

    threading.Thread(target=wait, name=f"{name}-readiness", daemon=True).start()


def is_ready(folder: Path, name: str) -> bool:
    """Whether a running process of this name has said so."""
    try:
        pid = int(_file(folder, name).read_text(encoding="ascii"))
        os.kill(pid, 0)
    except (FileNotFoundError, NotADirectoryError, ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True  # it runs, as somebody else
    return True


def _file(folder: Path, name: str) -> Path:
    return folder / "run" / f"{name}.pid"
