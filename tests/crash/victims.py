"""Processes that are killed at uniformly random times and started again; every death is written down."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

STARTUP_SHARE = 0.2
"""How many of the kills fall anywhere into a start; the others count from readiness."""
STUCK_S = 180.0
"""A process that is not ready by then is killed and written down as stuck."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How to start a process, how to see that it is ready, how long it may live at most (seconds after readiness)."""

    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    is_ready: Callable[[], bool]
    life_s: float


class Deaths:
    """What died of what, on disk: kills by us, ends of its own (`ended`, with the status), and `stuck` starts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
        self.counts: Counter[tuple[str, str]] = Counter((d[0], d[1]) for d in map(json.loads, lines))

    def note(self, name: str, how: str, detail: float) -> None:
        """Write one down: seconds lived, or the status of an own end."""
        self.counts[name, how] += 1
        with self._path.open("a", encoding="ascii") as file:
            file.write(json.dumps([name, how, round(detail, 3)]) + "\n")

    def kills(self, name: str | None = None) -> int:
        """How many kills -9, of all or of one."""
        return sum(n for (who, how), n in self.counts.items() if how == "killed" and name in (None, who))

    def told(self) -> dict[str, int]:
        """All counts by who and how."""
        return {f"{name} {how}": n for (name, how), n in sorted(self.counts.items())}


class Due(NamedTuple):
    """When a life is to end: so many seconds after its start, or after it was ready."""

    after_s: float
    in_start: bool


def due(seed: int, name: str, number: int, life_s: float) -> Due:
    """Of life `number` of a process; a pure function, so that a seed keeps its plan whoever else is killed."""
    chance = random.Random(f"{seed}:{name}:{number}")
    in_start = chance.random() < STARTUP_SHARE
    return Due(chance.uniform(0, life_s), in_start)


@dataclass(slots=True)
class Victim:
    """One process under fire; `step` is called again and again from one thread."""

    kind: Kind
    seed: int
    deaths: Deaths
    process: subprocess.Popen[bytes] | None = None
    _since: float = 0.0
    _due: float | None = None
    _after_s: float = 0.0

    def step(self, *, fire: bool) -> None:
        """Start, watch or kill, whatever is due now; without `fire` nothing is killed."""
        now = time.monotonic()
        if self.process is None:
            self._begin(now)
        elif (status := self.process.poll()) is not None:
            self.deaths.note(self.kind.name, "ended", status)
            self.process = None
        elif self._due is None and self.kind.is_ready():
            self._due = now + self._after_s
        elif fire and self._due is not None and now >= self._due:
            self._kill("killed", now)
        elif self._due is None and now - self._since > STUCK_S:
            self._kill("stuck", now)

    def is_up(self) -> bool:
        """Whether it runs and is ready."""
        return self.process is not None and self.process.poll() is None and self.kind.is_ready()

    def stop(self, signal_: signal.Signals, patience_s: float = 30.0) -> int | None:
        """End it for good; its exit status, None if it was not there."""
        if self.process is None:
            return None
        self.process.send_signal(signal_)
        status = self.process.wait(patience_s)
        self.process = None
        return status

    def _begin(self, now: float) -> None:
        number = sum(n for (name, _), n in self.deaths.counts.items() if name == self.kind.name)
        self._after_s, in_start = due(self.seed, self.kind.name, number, self.kind.life_s)
        self.process = self.kind.start()
        self._since = now
        self._due = now + self._after_s if in_start else None

    def _kill(self, how: str, now: float) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None
        self.deaths.note(self.kind.name, how, now - self._since)
