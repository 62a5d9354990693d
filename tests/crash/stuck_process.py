"""A worker whose stages can be made to hang.

`python -m tests.crash.stuck_process BOOTSTRAP PREFIX FOLDER PORT NAME [BUFFER_BYTES]`. A stage hangs before each chunk
for as long as the file FOLDER/hang holds the topic that it reads, or nothing at all. A chunk holds one record. PORT
serves its health; NAME is its own in the group.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from still.embedded.ports import LOOPBACK
from still.front import configure_logs
from still.health import Health, Pulse, assigned, served
from streams import chunk
from streams.metrics import PrometheusMetrics
from streams.worker import run
from streams.worker_settings import Signals
from tests.crash.worker_process import add_points, settings

HANG = "hang"
SMALL_BUFFER = 8 * 300
"""One record fills a partition's share of it."""


def main(bootstrap_servers: str, prefix: str, folder: str, port: str, name: str, *buffer_bytes: str) -> None:
    """Run the worker."""
    configure_logs()
    signals, hang = Signals(), Path(folder) / HANG
    health = Health("worker", Pulse(600), {"assignment": assigned(signals.ready)})

    def reached(point: str) -> None:
        while (topic := _held(hang)) is not None and point.startswith(f"polled {topic}"):
            time.sleep(0.05)

    mine = settings(bootstrap_servers, prefix, Path(folder))
    chosen = replace(mine, instance_id=name, buffer_bytes=int(next(iter(buffer_bytes), SMALL_BUFFER)))
    with pytest.MonkeyPatch.context() as patch, served(health, LOOPBACK, int(port)):
        patch.setattr(chunk, "MAX_RECORDS", 1)
        add_points(patch, reached)
        run(chosen, signals, PrometheusMetrics(health.registry))


def _held(hang: Path) -> str | None:
    """The topic whose stage shall hang, empty for all; None where the file is gone, even if it went just now."""
    try:
        return hang.read_text()
    except FileNotFoundError:
        return None


if __name__ == "__main__":
    main(*sys.argv[1:])
