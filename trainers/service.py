"""The continuous trainer: looks at each track's fresh examples and starts a run when there are enough, or old ones.

One run at a time. What was used is known from the registry's events alone, so a restart after kill -9 knows it too;
what a killed run left behind is carried out or discarded before anything new begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import Event

import structlog

from schemas.records import ModelEvent, Task
from trainers.errors import NothingToLearn, RunStopped, TrainerBusy
from trainers.figures import Figures, RecordedFigures, RunEnd
from trainers.lock import only_trainer
from trainers.pool import gather
from trainers.protocols import ExampleStore, Learner, Progress
from trainers.publish import Publisher
from trainers.rounds import Report, Run, RunSettings
from trainers.tracks import Track

log = structlog.get_logger(__name__)


def last_watermark(events: Iterable[ModelEvent], task: Task, label_set: str) -> str | None:
    """The watermark of the newest version trained from the store, None before the first."""
    marks = (e.lineage.get("watermark") for e in events if (e.task, e.label_set) == (task, label_set))
    return next((str(mark) for mark in reversed(list(marks)) if mark is not None), None)


def reason_to_train(track: Track, count: int, oldest_us: int | None, now_us: int) -> str | None:
    """Why a run should start with so many fresh examples, the oldest of which landed then; None = not yet."""
    if count >= track.min_fresh:
        return f"{count} fresh examples, {track.min_fresh} are enough"
    age_s = 0 if oldest_us is None else (now_us - oldest_us) / 1e6
    if count and age_s >= track.max_age_s:
        return f"{count} fresh examples, the oldest landed {age_s:.0f} s ago, the track waits {track.max_age_s} s"
    return None


@dataclass(slots=True)
class TrainerService:
    """Watches tracks; `learner_of` gives the learner of a track, and `stop`, once set, ends a run between two steps."""

    tracks: tuple[Track, ...]
    store: ExampleStore
    publisher: Publisher
    learner_of: Callable[[Track], Learner]
    settings: RunSettings
    stop: Event
    progress: Progress
    figures: Figures = field(default_factory=RecordedFigures)
    _fruitless: dict[tuple[str, str], int] = field(default_factory=dict)

    def serve(self, poll_s: float) -> None:
        """Heal, then look again and again until stopped."""
        with only_trainer(self.settings.folder, wait_s=poll_s):
            self.publisher.heal()
        while not self.stop.is_set():
            self.progress("watching", 0.0)
            self.look()
            self.stop.wait(poll_s)

    def look(self) -> list[Report]:
        """Train every track that is due now, one after the other."""
        return [report for track in self.tracks if (report := self._consider(track))]

    def _consider(self, track: Track) -> Report | None:
        after = last_watermark(self.publisher.registry.events(), track.task, track.label_set)
        fresh = self.store.freshness(track.task, track.label_set, after)
        self.figures.fresh(track.task, track.label_set, fresh.count)
        new = fresh.count - self._fruitless.get((track.task, track.label_set), 0)
        reason = reason_to_train(track, new, fresh.oldest_us if new else None, self.settings.clock())
        if reason is None or self.stop.is_set():
            return None
        log.info("run_started", task=track.task, label_set=track.label_set, reason=reason)
        return self._attempt(track, fresh.count)

    def _attempt(self, track: Track, count: int) -> Report | None:
        report: Report | None = None
        how: RunEnd = "finished"
        try:
            report = self.train(track)
        except NothingToLearn as nothing:
            # Until as many again have landed, trying once more would end the same way.
            self._fruitless[track.task, track.label_set] = count
            how = "fruitless"
            log.warning("run_fruitless", task=track.task, reason=str(nothing))
        except TrainerBusy as busy:
            how = "postponed"
            log.info("run_postponed", task=track.task, reason=str(busy))
        except RunStopped as stopped:
            how = "abandoned"
            log.info("run_abandoned", task=track.task, reason=str(stopped))
        self.figures.run_ended(track.task, track.label_set, how)
        return report

    def train(self, track: Track, wait_s: float = 0.0) -> Report:
        """One run of a track on everything in the store.

        Raises:
            TrainerBusy: another process trains.
            NothingToLearn: the store has nothing that teaches this track.
            RunStopped: `stop` was set meanwhile.
        """
        with only_trainer(self.settings.folder, wait_s):
            self.publisher.heal()
            after = last_watermark(self.publisher.registry.events(), track.task, track.label_set)
            pool = gather(self.store, track, after)
            run = Run(track, pool, self.learner_of(track), self.publisher, self.settings, self._stoppable)
            report = run.rounds()
        self._fruitless.pop((track.task, track.label_set), None)
        return report

    def _stoppable(self, what: str, share: float) -> None:
        if self.stop.is_set():
            raise RunStopped(f"stopped during {what}; nothing was published")
        self.progress(what, share)
