"""Answers of an adapter (or of the bare base) for items, and loading an adapter folder to get them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from trainers.bases.load import Base, Bases
from trainers.errors import AdapterMismatch
from trainers.folder import load_head, read_card
from trainers.heads import HEADS, Head, Prediction
from trainers.items import Item
from trainers.padding import batches
from trainers.tracks import Track

BATCH = 64
"""Rows at once; prediction keeps no gradients, so more than in training."""


class Predictor(Protocol):
    """Whatever answers items: an adapter, the probe, the bare base."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The label space; empty where answers are free text."""
        ...

    def close(self) -> None:
        """Frees what only this predictor holds; it answers no more."""
        ...

    def predict(self, items: Sequence[Item], *, outputs: int | None = None) -> list[Prediction]:
        """One prediction per item, in order; an item without text gets output None and no confidence.

        `outputs` bounds how many of the first items get a generated text; None = all.
        """
        ...


@dataclass(frozen=True, slots=True)
class AdapterPredictor:
    """A head and an adapter on a resident base; `adapter` None is the bare base."""

    base: Base
    track: Track
    head: Head
    adapter: str | None

    @property
    def labels(self) -> tuple[str, ...]:
        """The head's label space."""
        return self.head.labels

    def predict(self, items: Sequence[Item], *, outputs: int | None = None) -> list[Prediction]:
        """See `Predictor.predict`."""
        answers = [Prediction(item.id, None, None) for item in items]
        rows = self.head.rows(items, targets=False)
        with self.base.adapters.active(self.adapter) as model, torch.inference_mode():
            for batch in batches(rows, BATCH, self.base.padding):
                places = [row.index for row in batch.rows]
                found = self.head.predict(model, batch, [items[i] for i in places], outputs)
                for place, prediction in zip(places, found, strict=True):
                    answers[place] = prediction
        return answers

    def close(self) -> None:
        """Takes the adapter off the base."""
        if self.adapter is not None:
            self.base.adapters.drop(self.adapter)


def load_predictor(folder: Path, bases: Bases) -> AdapterPredictor:
    """The predictor in an adapter folder, its digests checked before anything is read.

    Raises:
        AdapterMismatch: damaged, incomplete, or made for another base.
        BaseUnavailable: its base cannot be loaded here.
    """
    card = read_card(folder)
    base = bases.get(card.track.kind, card.base_model if card.track.base else None)
    if (base.tokenizer_sha256, base.revision) != (card.tokenizer_sha256, card.base_revision):
        raise AdapterMismatch(
            f"{folder} was trained on {card.base_model} {card.base_revision}, here is {base.model_id} {base.revision}"
        )
    head = HEADS[card.track.head](base, card.track, card.labels, multi_label=card.multi_label)
    load_head(head, folder)
    name = f"folder-{card.digest[:16]}"
    base.adapters.drop(name)
    base.adapters.load(name, folder)
    return AdapterPredictor(base, card.track, head, name)
