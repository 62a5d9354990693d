"""What the continuous trainer counts: a closed list, a recorder for Prometheus and a recording twin.

Quality is not here: what an adapter scores is in its model events, with intervals.
"""

from __future__ import annotations

from collections import Counter as Tally
from typing import Literal, Protocol, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge

from schemas.records import Task

RunEnd = Literal["finished", "fruitless", "postponed", "abandoned"]
"""Reports were made; nothing could be learned; another process trains; a stop came between."""
RUN_ENDS: tuple[RunEnd, ...] = get_args(RunEnd)


class Figures(Protocol):
    """Where figures go."""

    def fresh(self, task: Task, label_set: str, count: int) -> None:
        """So many examples have landed since the newest version of the track was trained."""

    def run_ended(self, task: Task, label_set: str, how: RunEnd) -> None:
        """A run of the track ended so."""


class RecordedFigures:
    """Figures kept in memory, for tests and for those who serve none."""

    def __init__(self) -> None:
        self.waiting: dict[tuple[Task, str], int] = {}
        self.ends: Tally[tuple[Task, str, RunEnd]] = Tally()

    def fresh(self, task: Task, label_set: str, count: int) -> None:
        """Keep the count."""
        self.waiting[task, label_set] = count

    def run_ended(self, task: Task, label_set: str, how: RunEnd) -> None:
        """Count up."""
        self.ends[task, label_set, how] += 1


class PrometheusFigures:
    """Figures in a Prometheus registry: `still_trainer_fresh_examples` and `still_trainer_runs_total`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        track = ["task", "label_set"]
        self._fresh = Gauge(
            "still_trainer_fresh_examples", "Examples landed since the newest version", track, registry=registry
        )
        self._runs = Counter(
            "still_trainer_runs", f"Runs by how they ended: {', '.join(RUN_ENDS)}", [*track, "end"], registry=registry
        )

    def fresh(self, task: Task, label_set: str, count: int) -> None:
        """Note the count."""
        self._fresh.labels(task, label_set).set(count)

    def run_ended(self, task: Task, label_set: str, how: RunEnd) -> None:
        """Count up."""
        self._runs.labels(task, label_set, how).inc()
