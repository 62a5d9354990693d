"""Measures a predictor on items: the track's metric with its interval, slices per bucket, samples to look at."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from schemas.records import Metric
from trainers.heads import Prediction
from trainers.items import Item, labels_of
from trainers.metrics import (
    MEASURES,
    Array,
    interval,
    per_item,
    recall_at_fpr,
    recall_interval,
    value_of,
)
from trainers.predict import Predictor
from trainers.tracks import MetricName, Track

SAMPLES = 5
FALSE_POSITIVE_RATE = 0.05


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure with its 95 % interval; None = not measurable."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    n: int

    def as_metric(self, subject: str, on: str) -> Metric:
        """The figure as it travels in a model event."""
        return Metric(self.name, subject, on, self.value, self.low, self.high, self.n)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a predictor did on some items.

    `per_item` [n, k] and `clusters` are what paired tests need; `slices` = {bucket, n, value, errors}; `others` are
    further figures that no gate reads; `unmeasured` counts items that could not be measured at all.
    """

    metric: MetricName
    value: float | None
    low: float | None
    high: float | None
    n: int
    item_ids: tuple[str, ...]
    per_item: Array
    clusters: tuple[str, ...]
    slices: list[dict[str, Any]]
    predictions: list[Prediction]
    samples: list[dict[str, Any]]
    others: tuple[Measured, ...]
    unmeasured: int
    unknown_labels: dict[str, int]
    digest: str

    def metrics(self, subject: str, on: str) -> tuple[Metric, ...]:
        """All figures as they travel in a model event, the track's metric first."""
        main = Measured(self.metric, self.value, self.low, self.high, self.n)
        return tuple(figure.as_metric(subject, f"{on}:{self.digest[:12]}") for figure in (main, *self.others))


def evaluate(predictor: Predictor, items: Sequence[Item], track: Track) -> Evaluation:
    """Measures a predictor. Labels it never learned are counted wrong and reported in `unknown_labels`."""
    predictions = predictor.predict(items, outputs=SAMPLES if track.metric == "token_loss" else None)
    counts = per_item(track.metric, items, predictions)
    usable = [int(place) for place in np.flatnonzero(np.isfinite(counts).all(axis=1))]
    measured = [items[place] for place in usable]
    main = figure(track.metric, counts[usable], measured)
    return Evaluation(
        metric=track.metric,
        value=main.value,
        low=main.low,
        high=main.high,
        n=main.n,
        item_ids=tuple(item.id for item in measured),
        per_item=counts[usable],
        clusters=tuple(item.cluster for item in measured),
        slices=slices(track.metric, counts[usable], measured),
        predictions=predictions,
        samples=[_sample(item, answer) for item, answer in zip(items[:SAMPLES], predictions, strict=False)],
        others=_others(track, items, predictions),
        unmeasured=len(items) - len(measured),
        unknown_labels=_unknown_labels(predictor, items),
        digest=digest(items),
    )


def figure(metric: MetricName, counts: Array, items: Sequence[Item]) -> Measured:
    """A metric over items, with its interval."""
    bounds = interval(metric, counts, [item.cluster for item in items])
    low, high = bounds or (None, None)
    return Measured(metric, value_of(metric, counts), low, high, len(items))


def slices(metric: MetricName, counts: Array, items: Sequence[Item]) -> list[dict[str, Any]]:
    """Per bucket: items, value, and errors (items not fully right; for a loss, items above the median)."""
    missed = wrong(metric, counts)
    places = defaultdict(list)
    for place, item in enumerate(items):
        places[item.bucket].append(place)
    return [
        {"bucket": bucket, "n": len(at), "value": value_of(metric, counts[at]), "errors": int(missed[at].sum())}
        for bucket, at in sorted(places.items())
    ]


def wrong(metric: MetricName, counts: Array) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which items [n] are not fully right; for a loss, which lie above the median."""
    if not len(counts):
        return np.zeros(0, dtype=bool)
    if not MEASURES[metric].higher_is_better:
        means = counts[:, 0] / counts[:, 1]
        return np.asarray(means > np.median(means))
    if MEASURES[metric].proportion:
        return np.asarray(counts[:, 0] < counts[:, 1])
    by_class = counts.reshape(len(counts), -1, 3)
    return np.asarray((by_class[:, :, 0] < by_class[:, :, 1:].max(axis=2)).any(axis=1))


def digest(items: Sequence[Item]) -> str:
    """What was measured on: sha256 over ids and texts, in any order."""
    return hashlib.sha256("\n".join(sorted(f"{item.id} {item.text_hash}" for item in items)).encode()).hexdigest()


def _sample(item: Item, prediction: Prediction) -> dict[str, Any]:
    return {"input": item.text[-400:], "target": item.target, "output": prediction.output}


def _others(track: Track, items: Sequence[Item], predictions: Sequence[Prediction]) -> tuple[Measured, ...]:
    if track.head != "classify" or not items:
        return ()
    figures = [figure("macro_f1", per_item("macro_f1", items, predictions), items)]
    if any(prediction.scores for prediction in predictions):
        figures.append(_recall(items, predictions))
        right = figure("accuracy", per_item("accuracy", items, predictions), items)
        figures.append(replace(right, name="exact_match"))
    return tuple(figures)


def _recall(items: Sequence[Item], predictions: Sequence[Prediction]) -> Measured:
    """Of items that violate anything, the share found where at most 5 % of the others raise an alarm."""
    name = f"recall_at_fpr_{FALSE_POSITIVE_RATE}"
    scores = np.array([max(prediction.scores.values(), default=0.0) for prediction in predictions])
    positive = np.array([bool(labels_of(item.task, item.target)) for item in items])
    found = recall_at_fpr(scores, positive, FALSE_POSITIVE_RATE)
    bounds = recall_interval(scores, positive, FALSE_POSITIVE_RATE, [item.cluster for item in items])
    if found is None or bounds is None:
        return Measured(name, None, None, None, int(positive.sum()))
    return Measured(name, found[0] / found[1], *bounds, found[1])


def _unknown_labels(predictor: Predictor, items: Sequence[Item]) -> dict[str, int]:
    if not predictor.labels:
        return {}
    shown = Counter(label for item in items for label in labels_of(item.task, item.target))
    return {label: n for label, n in sorted(shown.items()) if label not in predictor.labels}
