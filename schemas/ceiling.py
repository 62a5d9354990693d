"""When refusals are no accident any more: by share and by run length. Pure.

A bad deploy must stop with a clear message, not drain a topic into `dead.letters`: a stage judges before it writes
any letter of what it holds, so that the records are there again for the repaired version. Replays are not judged:
they were refused before, and a repair that did not help must not stop what is new. A restart finds an empty ceiling,
and would let as many pass again: so the process ends with a status after which nothing starts it again by itself, and
remembers its stop where it can.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import repeat


@dataclass(frozen=True, slots=True)
class Limits:
    """When to stop: more than `ratio` of the last `window` records refused, or `run` refused in a row."""

    ratio: float = 0.5
    window: int = 1000
    run: int = 1000

    def __post_init__(self) -> None:
        if not 0 < self.ratio <= 1 or self.window < 1 or self.run < 1:
            raise ValueError(
                f"ratio={self.ratio}, window={self.window}, run={self.run}: need 0 < ratio <= 1 and counts > 0"
            )


class Ceiling:
    """Watches the refusals of one stream of records."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._recent: deque[bool] = deque(maxlen=limits.window)
        self._refused = 0
        self._run = 0

    def judge(self, refusals: Iterable[bool]) -> str | None:
        """Note whether each record was refused; how many were, in words, once the ceiling is reached."""
        for refused in refusals:
            self._note(refused)
            if self._run >= self._limits.run:
                return f"the last {self._run} records in a row"
            if len(self._recent) == self._limits.window and self._refused > self._limits.ratio * self._limits.window:
                return f"{self._refused} of the last {self._limits.window} records"
        return None

    def let_pass(self, count: int) -> str | None:
        """`judge` for `count` records of which none was refused: nearly free while the window holds no refusal."""
        if self._refused:
            return self.judge(repeat(False, count))
        self._recent.extend(repeat(False, min(count, self._limits.window)))
        self._run = 0
        return None

    def _note(self, refused: bool) -> None:
        if len(self._recent) == self._limits.window:
            self._refused -= self._recent[0]
        self._recent.append(refused)
        self._refused += refused
        self._run = self._run + 1 if refused else 0


ADVICE = (
    "this version or a publisher is wrong; look at the newest with `still dlq list` and mend it. Another version starts"
    " again, and so does this one after `still resume`; where these records may all go to the dead letters, raise"
    " STILL_REFUSED_RATIO or STILL_REFUSED_RUN"
)
