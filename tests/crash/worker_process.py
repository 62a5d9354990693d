"""A worker as a process of its own, for tests that end it; arguments: bootstrap servers, topic prefix, folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from still.front import configure_logs
from still.readiness import announce_when, is_ready
from streams.settings import AssembleSettings, RedactSettings
from streams.worker import run
from streams.worker_settings import Signals, WorkerSettings
from tests.streams.log import eventually

KEY = b"a key of tests, 32 bytes long..."
READY_WITHIN_S = 40.0


def settings(bootstrap_servers: str, prefix: str, folder: Path) -> WorkerSettings:
    """A worker that closes silent conversations quickly."""
    return WorkerSettings(
        bootstrap_servers,
        RedactSettings(KEY),
        topic_prefix=prefix,
        group=f"{prefix}worker",
        instance_id=folder.name,
        folder=folder,
        assemble=AssembleSettings(inactivity_us=2_000_000),
        idle_check_s=0.5,
    )


def start(bootstrap_servers: str, prefix: str, folder: Path) -> subprocess.Popen[bytes]:
    """Start a worker and wait until it has its partitions."""
    with (folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.worker_process", bootstrap_servers, prefix, str(folder)], stderr=log
        )
    eventually(lambda: is_ready(folder, "worker") or process.poll() is not None, READY_WITHIN_S, "a ready worker")
    return process


def main() -> None:
    """Run the worker."""
    configure_logs()
    signals = Signals()
    bootstrap_servers, prefix, folder = sys.argv[1:]
    announce_when(signals.ready, Path(folder), "worker")
    run(settings(bootstrap_servers, prefix, Path(folder)), signals)


if __name__ == "__main__":
    main()
