"""How a process ends that may not wait: with a status of its own, and nothing acknowledged that is not done."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from typing import NoReturn

import structlog

from schemas.exits import STOPPED_LATE

log = structlog.get_logger(__name__)

STOP_WITHIN_S = 9.0
"""A stop is asked for with ten seconds of grace, in containers too; a process' own wait ends before."""


def leave_within(seconds: float, stop: threading.Event) -> None:
    """SIGTERM and SIGINT set `stop` from here on, and then this process has so long to end by itself.

    A thread of its own hears of them: Python runs a handler in the main thread only, and while that one waits for an
    answer nothing wakes it where the system gave the signal to another thread. Call this in the main thread.
    """
    heard, told = socket.socketpair()
    told.setblocking(False)
    signal.set_wakeup_fd(told.fileno())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)

    def watch() -> None:
        with heard, told:
            heard.recv(1)
            stop.set()
            time.sleep(seconds)
            leave_late(f"it waits for an answer {seconds:g} s after it was told to stop")

    threading.Thread(target=watch, name="leave-within", daemon=True).start()


def leave_late(why: str) -> NoReturn:
    """End now with STOPPED_LATE: Python would wait for its threads, and one of them waits for an answer."""
    log.warning("stopped_late", why=why, help="nothing is lost, the next start settles it; see why nobody answered")
    _leave(STOPPED_LATE)


def leave_done() -> NoReturn:
    """End now with 0: all is done, and Python takes 2 s to take a loaded torch apart, on a busy machine 16 s."""
    _leave(0)


def _leave(status: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
