"""A run of one track: batch, probe, train, evaluate, gate, gaps, and again, until nothing more is to be gained.

Pure orchestration: who stores, learns and announces is given. The benchmark only judges, calibration only certifies
confidence; what the next batch holds is decided by the errors on development. Each round leaves one adapter version,
whatever its verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import structlog

from schemas.adapters import fold
from schemas.ids import stable_id
from schemas.records import Gate, ModelEvent
from trainers.batches import Batch, Policy, write_batch
from trainers.calibrate import routing_of
from trainers.cards import write_card
from trainers.compose import compose
from trainers.errors import NothingToLearn
from trainers.evaluate import Evaluation, evaluate
from trainers.gaps import NO_NEEDS, Needs, find_gaps
from trainers.gates import judge
from trainers.items import Item
from trainers.pool import Pool
from trainers.protocols import Learner, Made, Progress
from trainers.publish import ADAPTER, Publisher, artifact_of
from trainers.tracks import Track

log = structlog.get_logger(__name__)

SCRATCH_EVERY = 3
"""Every third round starts from the base again: a control against drift and label noise that warm starts pile up."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """Where batches and fetched adapters lie, how many rounds at most (None = the track's), and the clock."""

    folder: Path
    clock: Callable[[], int]
    max_rounds: int | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """What one round did: its batch, its version with all metrics and the verdict, and the gaps that it found."""

    number: int
    batch: dict[str, Any]
    event: ModelEvent
    needs: Needs
    samples: list[dict[str, Any]]

    @property
    def gate(self) -> Gate:
        """The round's verdict; every version has one."""
        assert self.event.gate is not None
        return self.event.gate


@dataclass(frozen=True, slots=True)
class Report:
    """A finished run: its rounds, and why there was no further one."""

    run_id: str
    rounds: tuple[Round, ...]
    stopped: str

    @property
    def promoted(self) -> ModelEvent | None:
        """The newest version that this run promoted, if any."""
        return next((r.event for r in reversed(self.rounds) if r.event.kind == "promoted"), None)


@dataclass(slots=True)
class Run:
    """One run of a track over a frozen pool."""

    track: Track
    pool: Pool
    learner: Learner
    publisher: Publisher
    settings: RunSettings
    progress: Progress
    run_id: str = ""
    _champion: ModelEvent | None = None
    _measured: dict[str, Evaluation] = field(default_factory=dict)

    def rounds(self) -> Report:
        """Do rounds until one of the reasons to stop holds.

        Raises:
            NothingToLearn: the pool has nothing to train on.
        """
        batch = self._batch(NO_NEEDS)
        if not batch.items:
            raise NothingToLearn(_why_empty(self.track, batch))
        self.run_id = stable_id("run", batch.sha256, self.settings.clock())[:16]
        states = fold(self.publisher.registry.events())
        self._champion = states.champion(self.track.task, self.track.label_set)
        done: list[Round] = []
        while True:
            done.append(self._round(len(done) + 1, batch, done[-1].event if done else None))
            batch = self._batch(done[-1].needs)
            if reason := self._stop(done, batch):
                log.info("run_finished", task=self.track.task, run=self.run_id, rounds=len(done), reason=reason)
                return Report(self.run_id, tuple(done), reason)

    def _batch(self, needs: Needs) -> Batch:
        track = self.track
        return compose(
            self.pool, Policy(
                task=track.task,
                label_set=track.label_set,
                max_items=track.max_items,
                replay_share=track.replay_share,
                seed=track.seed,
            ), needs,
        )  # fmt: skip

    def _stop(self, done: list[Round], upcoming: Batch) -> str | None:
        last = done[-1]
        if len(done) >= (self.settings.max_rounds or self.track.max_rounds):
            return f"{len(done)} rounds are the limit"
        if not last.needs.gaps:
            return "development shows no errors to learn from"
        if upcoming.sha256 in {one.batch["sha256"] for one in done}:
            return "the next batch would be one that was trained on before"
        if len(done) > 1 and last.gate.verdict == "fail":
            return f"the last round gained nothing: {last.gate.reasons[0]}"
        return None

    def _round(self, number: int, batch: Batch, previous: ModelEvent | None) -> Round:
        write_batch(batch, self.settings.folder / "batches")
        warm = None if previous is None or number % SCRATCH_EVERY == 0 else previous
        with self.publisher.staging(f"{self.run_id}-{number}") as stage:
            made = self.learner.train(
                batch.items,
                self.pool.development,
                stage / ADAPTER,
                warm=None if warm is None else self._fetched(warm),
                progress=lambda what, share: self.progress(f"round {number}: {what}", share),
            )
            self.progress(f"round {number}: benchmark", 0.0)
            candidate = self._evaluate(stage / ADAPTER, self.pool.benchmark)
            calibration = self._evaluate(stage / ADAPTER, self.pool.calibration)
            name, other = self._rival(batch)
            gate = judge(candidate, other, name, self.track)
            event = self._event(number, batch, made, gate)
            event = replace(
                event,
                metrics=(
                    *candidate.metrics("candidate", "benchmark"),
                    *other.metrics("probe" if self._champion is None else "champion", "benchmark"),
                    *made.development.metrics("candidate", "development"),
                    *(calibration.metrics("candidate", "calibration") if calibration.n else ()),
                ),
                slices=candidate.slices,
                routing=routing_of(calibration),
                lineage={**event.lineage, "warm_from": warm.adapter if warm else None},
            )
            write_card(stage / ADAPTER, event, batch.summary())
            event = self.publisher.publish(stage, event, gate.verdict)
        log.info("round_finished", task=self.track.task, adapter=event.adapter, verdict=gate.verdict, why=gate.reasons)
        if event.kind == "promoted":
            self._champion = event
            self._measured[event.adapter] = candidate
        return Round(number, batch.summary(), event, find_gaps(made.development.slices), candidate.samples)

    def _rival(self, batch: Batch) -> tuple[str, Evaluation]:
        """Whom the candidate must beat: the champion, or, before there is one, the probe on the same batch."""
        if self._champion is None:
            return "probe", evaluate(self.learner.probe(batch.items), self.pool.benchmark, self.track)
        name = self._champion.adapter
        if name not in self._measured:
            self._measured[name] = self._evaluate(self._fetched(self._champion), self.pool.benchmark)
        return name, self._measured[name]

    def _evaluate(self, folder: Path, items: Sequence[Item]) -> Evaluation:
        predictor = self.learner.load(folder)
        try:
            return evaluate(predictor, items, self.track)
        finally:
            predictor.close()

    def _fetched(self, event: ModelEvent) -> Path:
        return self.publisher.registry.fetch(artifact_of(event), self.settings.folder / "adapters")

    def _event(self, number: int, batch: Batch, made: Made, gate: Gate) -> ModelEvent:
        track = self.track
        return ModelEvent(
            event_id="",
            kind="trained",
            task=track.task,
            adapter="",
            number=self.publisher.registry.next_number(track.task),
            occurred_at=self.settings.clock(),
            base_model=made.base_model,
            base_revision=made.base_revision,
            head=track.head,
            label_set=track.label_set,
            labels=made.labels,
            rank=track.rank,
            target_modules=track.target_modules,
            tokenizer_sha256=made.tokenizer_sha256,
            batch=batch.sha256,
            run_id=self.run_id,
            round=number,
            gate=gate,
            lineage={
                "parent": self._champion.adapter if self._champion else None,
                "batch": batch.summary(),
                "watermark": batch.watermark,
                "seed": track.seed,
                "track": asdict(track),
            },
        )


def _why_empty(track: Track, batch: Batch) -> str:
    reasons = ", ".join(f"{n} {reason}" for reason, n in batch.left_out.items()) or "there are none"
    return f"no {track.task} example of label set {track.label_set!r} to train on ({reasons}); import or collect some"
