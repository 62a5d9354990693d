"""`classify`: one label, or several at once, for a text, from the mean of the encoder's last hidden states.

One label: softmax and cross-entropy over all labels, `none` among them. Several: a sigmoid per label, and none at all
is an answer too. On the encoder the tools task is classified by tool name; arguments stay null.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from schemas.records import Json
from trainers.bases.load import Base
from trainers.errors import NothingToLearn
from trainers.heads.head import Prediction
from trainers.items import NONE, Item, labels_of
from trainers.padding import Batch, Row
from trainers.tracks import Track

THRESHOLD = 0.5
"""Probability from which a label of several counts as given."""


class Classify:
    """A linear layer over the pooled encoder: [rows, hidden] -> [rows, labels]."""

    def __init__(self, base: Base, track: Track, labels: tuple[str, ...], *, multi_label: bool = False) -> None:
        self.labels = labels
        self.multi_label = multi_label
        self.module = nn.Linear(base.hidden_size, len(labels)).to(base.device)
        self._base = base
        self._track = track
        self._place = {label: place for place, label in enumerate(labels)}

    @classmethod
    def for_items(cls, base: Base, track: Track, items: Sequence[Item]) -> Self:
        """The label space is what the items show, in alphabetical order.

        Raises:
            NothingToLearn: fewer than two classes (several at once: no label at all).
        """
        shown = [labels_of(item.task, item.target) for item in items]
        multi_label = track.multi_label or any(len(labels) > 1 for labels in shown)
        flat = {label for labels in shown for label in (labels if multi_label else labels or (NONE,))}
        if len(flat) < (1 if multi_label else 2):
            only = f"only {min(flat)!r}" if flat else "no label"
            raise NothingToLearn(
                f"{len(items)} {track.task} items show {only}; a classifier needs something to tell apart"
            )
        return cls(base, track, tuple(sorted(flat)), multi_label=multi_label)

    def rows(self, items: Sequence[Item], *, targets: bool) -> list[Row]:
        """Token ids, truncated from the left; the target is a class index, or a 0/1 list for several labels."""
        places = [i for i, item in enumerate(items) if item.text.strip() and (not targets or self._knows(item))]
        ids = encode([items[i].text for i in places], self._base, self._track.max_tokens)
        return [
            Row(i, ids_of, self._target(items[i]) if targets else None, items[i].weight)
            for i, ids_of in zip(places, ids, strict=True)
        ]

    def _knows(self, item: Item) -> bool:
        return all(label in self._place for label in self._labels(item))

    def _labels(self, item: Item) -> tuple[str, ...]:
        labels = labels_of(item.task, item.target)
        return labels if self.multi_label else labels or (NONE,)

    def _target(self, item: Item) -> int | list[float]:
        given = {self._place[label] for label in self._labels(item)}
        if self.multi_label:
            return [float(place in given) for place in range(len(self.labels))]
        return min(given)

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Cross-entropy, or binary cross-entropy summed over labels; weighted mean over rows."""
        logits = self._logits(model, batch)
        targets = torch.tensor([row.target for row in batch.rows], device=logits.device)
        if self.multi_label:
            each = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none").sum(dim=1)
        else:
            each = functional.cross_entropy(logits, targets, reduction="none")
        return (each * batch.weights).sum() / batch.weights.sum()

    def examples(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """Pooled states [rows, hidden] and wanted outputs [rows, labels] as 0/1."""
        targets = torch.tensor([row.target for row in batch.rows])
        return pooled(model, batch), targets if self.multi_label else functional.one_hot(targets, len(self.labels))

    def _logits(self, model: nn.Module, batch: Batch) -> Tensor:
        logits: Tensor = self.module(pooled(model, batch))
        return logits

    def predict(
        self, model: nn.Module, batch: Batch, items: Sequence[Item], outputs: int | None = None
    ) -> list[Prediction]:
        """Confidence: the label's probability; for several labels, the least sure decision's."""
        del outputs  # an answer costs nothing more
        return self.answers(self._logits(model, batch), items)

    def answers(self, logits: Tensor, items: Sequence[Item]) -> list[Prediction]:
        """Predictions from logits [rows, labels]."""
        probabilities = (logits.sigmoid() if self.multi_label else logits.softmax(dim=1)).tolist()
        answer = self._several if self.multi_label else self._single
        return [answer(item, scores) for item, scores in zip(items, probabilities, strict=True)]

    def _single(self, item: Item, scores: list[float]) -> Prediction:
        best = max(range(len(scores)), key=scores.__getitem__)
        return Prediction(item.id, as_target(item, self.labels[best]), scores[best])

    def _several(self, item: Item, scores: list[float]) -> Prediction:
        given = [label for label, score in zip(self.labels, scores, strict=True) if score >= THRESHOLD]
        confidence = min(max(score, 1 - score) for score in scores)
        return Prediction(item.id, given, confidence, scores=dict(zip(self.labels, scores, strict=True)))


def as_target(item: Item, label: str) -> Json:
    """One label in the form of the task's target."""
    if item.task == "tools":
        return None if label == NONE else {"name": label, "arguments": None}
    if item.task == "safety" or isinstance(item.target, list):
        return [] if label == NONE else [label]
    return label


def encode(texts: Sequence[str], base: Base, max_tokens: int) -> list[list[int]]:
    """Token ids of each text; of a long one, the end."""
    if not texts:
        return []
    ids: list[list[int]] = base.tokenizer(list(texts), truncation=True, max_length=base.limit(max_tokens))["input_ids"]
    return ids


def pooled(model: nn.Module, batch: Batch) -> Tensor:
    """Mean of the last hidden states over real tokens, [rows, hidden], in fp32 (Reimers & Gurevych 2019)."""
    hidden = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).last_hidden_state
    mask = batch.attention_mask.unsqueeze(-1)
    mean: Tensor = (hidden.float() * mask).sum(dim=1) / mask.sum(dim=1)
    return mean
