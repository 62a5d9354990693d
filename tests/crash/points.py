"""Named points in worker and sink at which a test may end them: the real parts, with a word said before and after.

No product code knows of this: stages, store and consumer are wrapped where a test's process is put together.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sinks.tables import Table
from sinks.values import Block, Key, Landed, Partition, Progress, Store
from streams.chunk import Chunk
from streams.consumer import ChunkConsumer
from streams.stage import Stage

Point = Callable[[str], None]
"""Told the name of each point that a process reaches; may end the process."""
VARIABLE = "CRASH_AT"
"""Environment variable of a process that ends itself: `NAME:COUNT`, at the COUNTth time that NAME is reached."""


class KillAt:
    """kill -9 of this process at the point that the environment names; nothing where it names none."""

    def __init__(self) -> None:
        name, _, count = os.environ.get(VARIABLE, "").partition(":")
        self._at = (name, int(count or 1))
        self._seen: Counter[str] = Counter()

    def __call__(self, name: str) -> None:
        """Reach a point."""
        self._seen[name] += 1
        if (name, self._seen[name]) == self._at:
            os.kill(os.getpid(), signal.SIGKILL)


class SlowInserts:
    """Each insert begins so many seconds late, as on a busy ClickHouse: back-pressure is what is wanted."""

    def __init__(self, late_s: float) -> None:
        self._late_s = late_s

    def __call__(self, name: str) -> None:
        """Reach a point."""
        if name.startswith("insert "):
            time.sleep(self._late_s)


class PointedStage:
    """A stage of the worker: `polled TOPIC`, `settled TOPIC` (durable, not acknowledged), `assigned TOPIC`."""

    def __init__(self, inner: Stage, reached: Point) -> None:
        self._inner = inner
        self._reached = reached
        self.name = inner.name
        self.topic = inner.topic

    def assign(self, partitions: Iterable[int]) -> None:
        """See `Stage`."""
        mine = list(partitions)
        self._inner.assign(mine)
        if mine:
            self._reached(f"assigned {self.topic}")

    def settle(self, chunk: Chunk) -> None:
        """See `Stage`."""
        self._reached(f"polled {self.topic}")
        self._inner.settle(chunk)
        self._reached(f"settled {self.topic}")

    def tick(self, now_us: int) -> None:
        """See `Stage`."""
        self._inner.tick(now_us)


def pointed_consumer(reached: Point) -> type[ChunkConsumer]:
    """The worker's consumer: `acked`, and `commit` and `committed` around the broker's answer."""

    class PointedConsumer(ChunkConsumer):
        def ack(self, message: Any) -> bool:
            moved = super().ack(message)
            reached("acked")
            return moved

        async def _commit(self, offsets: Any) -> bool:
            reached("commit")
            done: bool = await super()._commit(offsets)
            reached("committed")
            return done

    return PointedConsumer


class PointedStore:
    """A store with points before and after everything that it is asked."""

    def __init__(self, inner: Store, reached: Point) -> None:
        self._inner = inner
        self._reached = reached

    def take_leases(self, partitions: Sequence[Partition]) -> dict[Partition, str]:
        """See `Store`."""
        leases = self._inner.take_leases(partitions)
        self._reached("leases taken")
        return leases

    def landed(self, table: Table, partition: Partition) -> Landed:
        """See `Store`."""
        self._reached("recover")
        return self._inner.landed(table, partition)

    def existing(self, table: Table, keys: Sequence[Key]) -> set[Key]:
        """See `Store`."""
        return self._inner.existing(table, keys)

    def insert(self, block: Block) -> None:
        """See `Store`."""
        self._reached(f"insert {block.table.name}")
        self._inner.insert(block)
        self._reached(f"inserted {block.table.name}")

    def missing(self, block: Block) -> list[int]:
        """See `Store`."""
        return self._inner.missing(block)

    def record(self, progress: Sequence[Progress]) -> None:
        """See `Store`."""
        self._reached("write ledger")
        self._inner.record(progress)
        self._reached("ledger written")
