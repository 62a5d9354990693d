"""A worker whose stages can be made to hang: `python -m tests.crash.stuck_process BOOTSTRAP PREFIX FOLDER PORT NAME`.

They hang before each chunk for as long as the file FOLDER/hang is there. PORT serves its health; NAME is its own in the
group.
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
from streams.metrics import PrometheusMetrics
from streams.worker import run
from streams.worker_settings import Signals
from tests.crash.worker_process import add_points, settings

HANG = "hang"
SMALL_BUFFER = 8 * 300
"""One record fills a partition's share of it."""


def main(bootstrap_servers: str, prefix: str, folder: str, port: str, name: str) -> None:
    """Run the worker."""
    configure_logs()
    signals, hang = Signals(), Path(folder) / HANG
    health = Health("worker", Pulse(600), {"assignment": assigned(signals.ready)})

    def reached(point: str) -> None:
        while point.startswith("polled") and hang.exists():
            time.sleep(0.05)

    chosen = replace(settings(bootstrap_servers, prefix, Path(folder)), instance_id=name, buffer_bytes=SMALL_BUFFER)
    with pytest.MonkeyPatch.context() as patch, served(health, LOOPBACK, int(port)):
        add_points(patch, reached)
        run(chosen, signals, PrometheusMetrics(health.registry))


if __name__ == "__main__":
    main(*sys.argv[1:])
