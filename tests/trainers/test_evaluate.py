"""Figures beside the main one: their intervals know that items of one conversation are not independent."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from schemas.records import Metric
from tests.trainers.made import INTENT, item
from trainers.evaluate import evaluate
from trainers.heads import Prediction
from trainers.items import Item

SAFETY = replace(INTENT, task="safety", metric="label_f1")
CONVERSATIONS, EACH = 60, 12


@dataclass(frozen=True, slots=True)
class _Scores:
    """Says `toxic` from 0.5 on; the score of each item is given."""

    scores: Sequence[float]
    labels: tuple[str, ...] = ("toxic",)

    def predict(self, items: Sequence[Item], *, outputs: int | None = None) -> list[Prediction]:  # noqa: ARG002
        return [
            Prediction(one.id, ["toxic"] if score > 0.5 else [], score, scores={"toxic": score})
            for one, score in zip(items, self.scores, strict=True)
        ]

    def close(self) -> None:
        """Holds nothing."""


def _figure(name: str, *, together: bool) -> Metric:
    """A figure over many items of few conversations, whose items are all alike; or as if each stood alone."""
    rng = np.random.default_rng(1)
    toxic = np.repeat(np.arange(CONVERSATIONS) % 2 == 0, EACH)
    scores = np.repeat(rng.uniform(0, 1, CONVERSATIONS), EACH) * 0.6 + 0.4 * toxic
    items = [
        item(
            "safety", "some text", ["toxic"] if bad else [],
            number=n, conversation_id=f"c-{n // EACH if together else n}",
        )
        for n, bad in enumerate(toxic)
    ]  # fmt: skip
    found = evaluate(_Scores(scores.tolist()), items, SAFETY).metrics("candidate", "benchmark")
    return next(metric for metric in found if metric.name == name)


def _width(metric: Metric) -> float:
    assert metric.low is not None
    assert metric.high is not None
    return metric.high - metric.low


@pytest.mark.parametrize("name", ["exact_match", "recall_at_fpr_0.05", "macro_f1"])
def test_intervals_beside_the_main_one_cluster_by_conversation(name: str) -> None:
    """Twelve alike items of each conversation bring no evidence: same value, much wider interval."""
    alone, together = _figure(name, together=False), _figure(name, together=True)
    assert alone.value == together.value
    assert alone.value is not None
    assert 0.1 < alone.value < 0.97
    assert _width(together) > 2 * _width(alone)
    assert together == _figure(name, together=True)
