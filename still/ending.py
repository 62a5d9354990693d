"""How a process ends that may not wait: with a status of its own, and nothing acknowledged that is not done."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import NoReturn

import structlog

log = structlog.get_logger(__name__)

STOPPED_LATE = 75
"""Exit status of a stop that left a call without its answer (EX_TEMPFAIL, as the worker's): nothing is lost, and the
next start settles it, but what was asked stands still and wants a look. 0 says that no call was left."""


def leave_within(seconds: float, stop: threading.Event) -> None:
    """From the moment that `stop` is set this process has so long to end by itself, whatever its threads wait for."""

    def watch() -> None:
        stop.wait()
        time.sleep(seconds)
        leave_late(f"it waits for an answer {seconds:g} s after it was told to stop")

    threading.Thread(target=watch, name="leave-within", daemon=True).start()


def leave_late(why: str) -> NoReturn:
    """End now with STOPPED_LATE: Python would wait for its threads, and one of them waits for an answer."""
    log.warning("stopped_late", why=why, help="nothing is lost, the next start settles it; see why nobody answered")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(STOPPED_LATE)
