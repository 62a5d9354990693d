"""Trains one adapter: load the base, fit the head, attach an adapter, loop, evaluate on development, return.

Reads from top to bottom; what differs between tracks is data (the track) or a head strategy, never another loop. A
classifier's head starts as the linear probe, so the adapter starts where the probe ends (LP-FT, Kumar et al. 2022). The
same track, items and seed on the same machine give the same weights.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
import torch
from torch import Tensor, nn

from schemas.artifacts import Sealed
from schemas.ids import stable_id
from trainers import folder as adapter_folder
from trainers.bases.load import Base, Bases
from trainers.errors import NothingToLearn
from trainers.evaluate import Evaluation, evaluate
from trainers.heads import Head
from trainers.items import Item, choose
from trainers.padding import Batch, Row, batches
from trainers.predict import AdapterPredictor
from trainers.probe import SOFT_PENALTY, fit_heads
from trainers.tracks import Track

log = structlog.get_logger(__name__)

WARM_UP = 0.06
CLIP = 1.0
WEIGHT_DECAY = 0.01
EVALUATION_ROWS = 64
DEVELOPMENT_ITEMS = 400
"""Items that decide when to stop; more cost time at every epoch and change little."""

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Epoch:
    """Mean training loss of an epoch, and the loss on development (None without any)."""

    number: int
    loss: float
    development: float | None


@dataclass(frozen=True, slots=True)
class Trained:
    """An adapter on its base with its head, how it came to be, and how it does on development."""

    track: Track
    base: Base
    adapter: str
    head: Head
    seed: int
    epochs: tuple[Epoch, ...]
    items: int
    development: Evaluation

    @property
    def predictor(self) -> AdapterPredictor:
        """Answers with this adapter."""
        return AdapterPredictor(self.base, self.track, self.head, self.adapter)


def silent(_step: str, _share: float) -> None:
    """A progress that nobody watches."""


def train(  # noqa: PLR0913 - what is trained, on what, from where, and who watches
    track: Track,
    items: Sequence[Item],
    development: Sequence[Item],
    *,
    bases: Bases,
    warm: Path | None = None,
    start: Head | None = None,
    seed: int | None = None,
    progress: Progress = silent,
) -> Trained:
    """Trains an adapter on items; the epoch that does best on development is kept.

    `warm` starts from another adapter's folder instead of zero; `start` is a head fitted to these items (None: one is
    fitted here); `progress` gets (what, share done in [0, 1]).

    Raises:
        NothingToLearn: no item, or nothing to tell apart.
        AdapterMismatch: `warm` does not fit.
    """
    seed = track.seed if seed is None else seed
    chosen = choose(items, track.max_items, seed)
    base = bases.of(track)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        head = start or fit_heads(track, items, bases, (SOFT_PENALTY,))[0].head
        watched = choose(development, DEVELOPMENT_ITEMS, seed)
        rows, watched_rows = head.rows(chosen, targets=True), head.rows(watched, targets=True)
        if not rows:
            raise NothingToLearn(f"none of {len(chosen)} {track.task} items has text to learn from")
        adapter = f"run-{stable_id(track.task, seed, len(chosen), *(item.id for item in chosen))[:16]}"
        parameters = _attach(base, adapter, track, head, warm)
        predictor = AdapterPredictor(base, track, head, adapter)
        epochs = _Learner(predictor, parameters, seed).learn(rows, watched_rows, progress)
    progress("evaluate", 0.0)
    measured = evaluate(predictor, development, track)
    log.info(
        "adapter_trained",
        task=track.task,
        items=len(rows),
        epochs=len(epochs),
        metric=track.metric,
        on_development=measured.value,
    )
    return Trained(track, base, adapter, head, seed, epochs, len(rows), measured)


def save(trained: Trained, folder: Path) -> Sealed:
    """Writes the adapter folder (see `trainers.folder`)."""
    return adapter_folder.save_adapter(trained.base, trained.adapter, trained.head, trained.track, folder)


def _attach(base: Base, adapter: str, track: Track, head: Head, warm: Path | None) -> list[Tensor]:
    base.adapters.drop(adapter)
    parameters = base.adapters.attach(adapter, track)
    if warm is not None:
        base.adapters.restore(adapter, adapter_folder.read_weights(warm))
        adapter_folder.warm_head(head, warm)
    return [*parameters, *head.module.parameters()]


class _Learner:
    """The loop over one adapter and head: AdamW, warm-up and cosine, clipping, early stop on development."""

    def __init__(self, predictor: AdapterPredictor, parameters: list[Tensor], seed: int) -> None:
        self._base, self._track, self._head = predictor.base, predictor.track, predictor.head
        self._adapter = predictor.adapter or ""
        self._parameters = parameters
        # bf16 keeps 8 bits of a weight, too few for Adam's small steps: they add up in fp32 masters.
        self._masters = [parameter.detach().float().requires_grad_() for parameter in parameters]
        self._chance = random.Random(seed)
        self._optimizer = torch.optim.AdamW(self._masters, lr=self._track.learning_rate, weight_decay=WEIGHT_DECAY)
        self._step = 0

    def learn(self, rows: list[Row], development: list[Row], progress: Progress) -> tuple[Epoch, ...]:
        """Trains until the last epoch, or until development has not improved for `patience` epochs."""
        epochs: list[Epoch] = []
        best = self._state()
        with self._base.adapters.active(self._adapter) as model:
            for number in range(1, self._track.epochs + 1):
                loss = self._epoch(model, rows, progress)
                epochs.append(Epoch(number, loss, self._development_loss(model, development)))
                leader = min(epochs, key=_rank)
                if leader is epochs[-1]:
                    best = self._state()
                if number - leader.number >= self._track.patience:
                    break
        self._restore(best)
        return tuple(epochs)

    def _epoch(self, model: nn.Module, rows: list[Row], progress: Progress) -> float:
        each = list(batches(rows, self._track.batch_size, self._base.padding, self._chance))
        steps = len(each) * self._track.epochs
        total = 0.0
        for batch in each:
            total += self._update(model, batch, rate(self._step, steps)) * len(batch.rows)
            self._step += 1
            progress("train", self._step / steps)
        return total / len(rows)

    def _update(self, model: nn.Module, batch: Batch, factor: float) -> float:
        """One step; gives the batch's loss before it."""
        for group in self._optimizer.param_groups:
            group["lr"] = self._track.learning_rate * factor
        loss = self._head.loss(model, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        for master, parameter in zip(self._masters, self._parameters, strict=True):
            master.grad = None if parameter.grad is None else parameter.grad.float()
            parameter.grad = None
        nn.utils.clip_grad_norm_(self._masters, CLIP)
        self._optimizer.step()
        self._restore(self._masters)
        return float(loss.detach())

    def _development_loss(self, model: nn.Module, rows: list[Row]) -> float | None:
        if not rows:
            return None
        with torch.inference_mode():
            each = [
                float(self._head.loss(model, batch)) * len(batch.rows)
                for batch in batches(rows, EVALUATION_ROWS, self._base.padding)
            ]
        return sum(each) / len(rows)

    def _state(self) -> list[Tensor]:
        return [parameter.detach().clone() for parameter in self._parameters]

    def _restore(self, state: list[Tensor]) -> None:
        with torch.no_grad():
            for parameter, value in zip(self._parameters, state, strict=True):
                parameter.copy_(value)


def rate(step: int, steps: int) -> float:
    """Share of the learning rate at a step: linear warm-up, then half a cosine down to 0 (Loshchilov & Hutter 2017)."""
    warm_up = max(1, int(WARM_UP * steps))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def _rank(epoch: Epoch) -> tuple[float, int]:
    """Lowest development loss first; without development the last epoch."""
    return (0.0, -epoch.number) if epoch.development is None else (epoch.development, epoch.number)
