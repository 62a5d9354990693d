"""A wall clock that jumps: the sink's timers do not look at it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from sinks import consume
from sinks.settings import SinkSettings
from sinks.signals import Signals
from sinks.values import Arrived
from tests.crash.points import PointedStore
from tests.crash.test_twin import world_of
from tests.crash.twin import TOPICS, CrashAt, TwinLetters, TwinReader, World
from tests.streams.log import eventually

DAY_S = 86_400.0
WAIT_S = 0.5


class Clocks:
    """Both clocks of a process, as a test sets them."""

    def __init__(self) -> None:
        self.monotonic_s = 100.0
        self.wall_s = 1.8e9

    def monotonic(self) -> float:
        """See `time.monotonic`."""
        return self.monotonic_s

    def time(self) -> float:
        """See `time.time`."""
        return self.wall_s

    def sleep(self, wait_s: float) -> None:
        """See `time.sleep`."""
        time.sleep(wait_s)


class ScriptedReader(TwinReader):
    """Reads at its first turn; at each later one it takes the next step of the script, and stops behind the last."""

    script: list[Callable[[], object]]
    turns = 0

    def read(self, wait_s: float) -> list[Arrived]:
        """See `Reader`."""
        self.turns += 1
        if self.turns == 1:
            return super().read(wait_s)
        step = self.script.pop(0) if self.script else self._session._signals.stop.set
        step()
        return []


def test_blocks_fall_due_by_the_monotonic_clock_alone() -> None:
    """A day forth does not land a block before its time, a day back does not hold it up when its time has come."""
    world, clocks, inserts = world_of(5), Clocks(), dict[str, float]()

    def reached(name: str) -> None:
        if name.startswith("insert "):
            inserts[name] = clocks.monotonic_s

    def jump(wall_s: float, monotonic_s: float) -> None:
        clocks.wall_s += wall_s
        clocks.monotonic_s += monotonic_s

    script: list[Callable[[], object]] = [
        lambda: jump(DAY_S, 0.0),
        lambda: time.sleep(0.3),  # what is inserted too early has the time to be seen
        lambda: jump(-2 * DAY_S, WAIT_S),
        lambda: eventually(
            lambda: len(world.store.rows("conversation_events")) > 0, 30, "rows, though the day is past"
        ),
    ]
    _run(world, clocks, reached, script)
    assert inserts["insert conversation_events"] == pytest.approx(100.0 + WAIT_S)


def _run(world: World, clocks: Clocks, reached: Callable[[str], None], script: list[Callable[[], object]]) -> None:
    settings = SinkSettings("twin:1", topics=TOPICS, max_rows=10**6, max_wait_s=WAIT_S, mark_every_s=3600.0)

    def reader(own: SinkSettings, session: Any) -> ScriptedReader:
        made = ScriptedReader(world, own, session, CrashAt())
        made.script = script
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(consume, "Reader", reader)
        patch.setattr(consume, "time", clocks)
        store = PointedStore(world.store, reached)
        consume.run(settings, store, TwinLetters(world, CrashAt()), b"key", Signals())
