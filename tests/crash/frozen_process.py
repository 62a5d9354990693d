"""`still sink` before which another process freezes: `python -m tests.crash.frozen_process PID POINT OPTIONS`.

When POINT is reached for the first time, PID is stopped, and the file STILL_FOLDER/frozen says so: the call that comes
next has no answer. Points are those of `tests.crash.points`, and `take leases`.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sinks.clickhouse.store import ClickHouseStore
from sinks.values import Partition
from still.__main__ import main as still
from still.commands import sink
from tests.crash.points import PointedStore

FROZEN = "frozen"


class FreezeAt:
    """SIGSTOP of a process at a point, once."""

    def __init__(self, pid: int, point: str) -> None:
        self._pid = pid
        self._point = point
        self._said = Path(os.environ["STILL_FOLDER"]) / FROZEN

    def __call__(self, name: str) -> None:
        """Reach a point."""
        if name == self._point and not self._said.exists():
            os.kill(self._pid, signal.SIGSTOP)
            self._said.touch()


class LeasingStore(PointedStore):
    """With a point before the leases too."""

    def take_leases(self, partitions: Sequence[Partition]) -> dict[Partition, str]:
        """See `Store`."""
        self._reached("take leases")
        return super().take_leases(partitions)


def main(pid: str, point: str, *options: str) -> int:
    """Run the sink."""
    reached = FreezeAt(int(pid), point)

    def store(*given: Any, **named: Any) -> LeasingStore:
        return LeasingStore(ClickHouseStore(*given, **named), reached)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sink, "ClickHouseStore", store)
        return still(["sink", *options])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
