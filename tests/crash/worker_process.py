"""A worker as a process of its own, for tests that end it; arguments: bootstrap servers, topic prefix, folder.

A fourth argument is after how many seconds of silence conversations are closed, a fifth the group. `CRASH_AT` ends it
at a point of `tests.crash.points`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from still.front import configure_logs
from still.readiness import announce_when, is_ready
from streams import agents
from streams.consumer import ChunkTransport
from streams.settings import AssembleSettings, RedactSettings
from streams.stage import Stage
from streams.worker import run
from streams.worker_settings import Signals, WorkerSettings
from tests.crash.points import VARIABLE, KillAt, Point, PointedStage, pointed_consumer
from tests.crash.started import once_ready

GROUP = "worker"
KEY = b"a key of tests, 32 bytes long..."
READY_WITHIN_S = 120.0


def settings(
    bootstrap_servers: str, prefix: str, folder: Path, inactivity_s: int = 2, group: str = GROUP
) -> WorkerSettings:
    """A worker that closes silent conversations quickly."""
    return WorkerSettings(
        bootstrap_servers,
        RedactSettings(KEY),
        topic_prefix=prefix,
        group=f"{prefix}{group}",
        instance_id=folder.name,
        folder=folder,
        assemble=AssembleSettings(inactivity_us=inactivity_s * 1_000_000),
        idle_check_s=0.5,
    )


def begin(
    bootstrap_servers: str, prefix: str, folder: Path, crash_at: str = "", group: str = GROUP
) -> subprocess.Popen[bytes]:
    """Start a worker that dies at the point `crash_at`, and do not wait."""
    argv = [sys.executable, "-m", "tests.crash.worker_process", bootstrap_servers, prefix, str(folder), "2", group]
    with (folder / "worker.log").open("ab") as log:
        return subprocess.Popen(argv, stderr=log, env={**os.environ, VARIABLE: crash_at})


def start(bootstrap_servers: str, prefix: str, folder: Path, crash_at: str = "") -> subprocess.Popen[bytes]:
    """Start a worker and wait until it has its partitions, or has died at the point `crash_at`."""
    process = begin(bootstrap_servers, prefix, folder, crash_at)
    return once_ready(process, lambda: is_ready(folder, "worker"), READY_WITHIN_S, "a ready worker")


def main() -> None:
    """Run the worker."""
    configure_logs()
    signals = Signals()
    bootstrap_servers, prefix, folder, *others = sys.argv[1:]
    inactivity_s, group = (*others, "2", GROUP)[0], (*others[1:], GROUP)[0]
    announce_when(signals.ready, Path(folder), "worker")
    with pytest.MonkeyPatch.context() as patch:
        add_points(patch, KillAt())
        run(settings(bootstrap_servers, prefix, Path(folder), int(inactivity_s), group), signals)


def add_points(patch: pytest.MonkeyPatch, reached: Point) -> None:
    """Let the worker of this process say when it reaches a point."""
    build = agents.build

    def pointed(settings: WorkerSettings, stages: Sequence[Stage], *others: Any) -> Any:
        return build(settings, [PointedStage(stage, reached) for stage in stages], *others)

    patch.setattr(agents, "build", pointed)
    patch.setattr(ChunkTransport, "Consumer", pointed_consumer(reached))


if __name__ == "__main__":
    main()
