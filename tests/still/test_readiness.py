"""Readiness is what a living process says of itself."""

import subprocess
import sys
import threading
import time
from pathlib import Path

from still.readiness import announce, announce_when, is_ready


def test_nobody_is_ready_at_first(tmp_path: Path) -> None:
    """Without a word nobody is ready."""
    assert not is_ready(tmp_path, "worker")


def test_announced_process_is_ready(tmp_path: Path) -> None:
    """A living process that said so is ready, under its own name only."""
    announce(tmp_path, "worker")
    assert is_ready(tmp_path, "worker")
    assert not is_ready(tmp_path, "sink")


def test_word_of_a_dead_process_does_not_count(tmp_path: Path) -> None:
    """What a process said before it died is void."""
    code = f"from pathlib import Path; from still.readiness import announce; announce(Path({str(tmp_path)!r}), 'sink')"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert not is_ready(tmp_path, "sink")


def test_broken_file_does_not_count(tmp_path: Path) -> None:
    """A half-written file is nobody's word."""
    announce(tmp_path, "sink")
    (tmp_path / "run" / "sink.pid").write_text("", encoding="ascii")
    assert not is_ready(tmp_path, "sink")


def test_event_announces(tmp_path: Path) -> None:
    """The word is given when the event is set, not before."""
    ready = threading.Event()
    announce_when(ready, tmp_path, "worker")
    assert not is_ready(tmp_path, "worker")
    ready.set()
    deadline = time.monotonic() + 5
    while not is_ready(tmp_path, "worker"):
        assert time.monotonic() < deadline
