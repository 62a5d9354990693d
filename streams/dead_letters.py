"""What becomes of records that a stage cannot take: a dead letter each, and an end when nearly all are refused. Pure.

A bad deploy must stop with a clear message, not drain a topic into `dead.letters`: the ceiling is judged before any
letter of a chunk is written, so that the chunk is there again for the repaired worker.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import repeat

from schemas import ids
from schemas.records import DeadLetter
from streams.errors import TooManyRejected
from streams.values import Arrived, Rejected

TOPIC = "dead.letters"
ATTEMPT = "attempt"
"""Header of a replayed record: how often it was tried before, as decimal text."""


@dataclass(frozen=True, slots=True)
class Source:
    """The log that a stage reads: its cluster, its topic without prefix, its partition."""

    cluster_id: str
    topic: str
    partition: int


def dead_letter_of(arrived: Arrived, source: Source, rejected: Rejected) -> DeadLetter:
    """The letter for a refused record; the same record, stage and attempt make the same letter."""
    attempt = attempt_of(arrived)
    return DeadLetter(
        dead_letter_id=ids.stable_id(
            source.cluster_id, source.topic, source.partition, arrived.offset, rejected.stage, attempt
        ),
        stage=rejected.stage,
        reason=rejected.reason,
        detail=rejected.detail,
        cluster_id=source.cluster_id,
        topic=source.topic,
        partition=source.partition,
        offset=arrived.offset,
        key=arrived.key,
        value=arrived.value,
        failed_at=arrived.timestamp_us,
        headers=dict(arrived.headers),
        attempt=attempt,
    )


def attempt_of(arrived: Arrived) -> int:
    """How often the record was tried before; what is no small number is a publisher's own header and counts as 0."""
    text = arrived.headers.get(ATTEMPT, b"0")
    return int(text) if text.isdigit() and len(text) < 4 else 0


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
    """Watches the refusals of one partition."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._recent: deque[bool] = deque(maxlen=limits.window)
        self._refused = 0
        self._run = 0

    def judge(self, refusals: Iterable[bool], source: Source) -> None:
        """Note whether each record of a chunk was refused.

        Raises:
            TooManyRejected: the ceiling is reached.
        """
        for refused in refusals:
            self._note(refused)
            if self._run >= self._limits.run:
                raise TooManyRejected(_complaint(source, f"the last {self._run} records in a row"))
            if len(self._recent) == self._limits.window and self._refused > self._limits.ratio * self._limits.window:
                raise TooManyRejected(_complaint(source, f"{self._refused} of the last {self._limits.window} records"))

    def let_pass(self, count: int, source: Source) -> None:
        """`judge` for `count` records of which none was refused: nearly free while the window holds no refusal."""
        if self._refused:
            self.judge(repeat(False, count), source)
        else:
            self._recent.extend(repeat(False, min(count, self._limits.window)))
            self._run = 0

    def _note(self, refused: bool) -> None:
        if len(self._recent) == self._limits.window:
            self._refused -= self._recent[0]
        self._recent.append(refused)
        self._refused += refused
        self._run = self._run + 1 if refused else 0


def _complaint(source: Source, how_many: str) -> str:
    return (
        f"{source.topic}[{source.partition}] refused {how_many}: this version or a publisher is wrong; "
        "look at the newest dead letters, mend it and start the worker again"
    )
