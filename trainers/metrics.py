"""Metrics as sums over items, with intervals. Pure: arrays in, numbers out.

Each metric turns an item and its prediction into a few numbers whose sums give the value; so any subset, resample of
conversations or slice is measured by adding rows, and no metric needs its own bootstrap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from schemas.records import Json
from trainers.heads.head import Prediction
from trainers.items import Item, labels_of
from trainers.tracks import MetricName

Array = NDArray[np.float64]
RESAMPLES = 2000
LEVEL = 0.95

_Counts = Callable[[Item, Prediction], tuple[float, ...]]
_Value = Callable[[Array], Array]


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric: what one item adds, and how sums [..., k] become values [...]."""

    counts: _Counts
    value: _Value
    higher_is_better: bool = True
    proportion: bool = False


def answered(prediction: Prediction) -> bool:
    """Whether there is an answer at all; an item without text gets none."""
    return prediction.confidence is not None


def is_right(item: Item, prediction: Prediction) -> bool:
    """Whether the answer's labels (tools: the name) are exactly the target's."""
    return answered(prediction) and _said(item, prediction.output) == set(labels_of(item.task, item.target))


def _said(item: Item, output: Json) -> set[str]:
    return set(labels_of(item.task, output))


def _accuracy(item: Item, prediction: Prediction) -> tuple[float, ...]:
    return (float(is_right(item, prediction)), 1.0)


def _call_accuracy(item: Item, prediction: Prediction) -> tuple[float, ...]:
    return (float(answered(prediction) and prediction.output == item.target), 1.0)


def _overlap(said: set[object], gold: set[object]) -> tuple[float, ...]:
    """True positives, said, gold: the sums that precision, recall and F1 are made of."""
    return (float(len(said & gold)), float(len(said)), float(len(gold)))


def _spans(item: Item, prediction: Prediction) -> tuple[float, ...]:
    return _overlap(_span_set(prediction.output or []), _span_set(item.target))


def _span_set(spans: Json) -> set[object]:
    return {(span["start"], span["end"], span["label"]) for span in spans}


def _labels(item: Item, prediction: Prediction) -> tuple[float, ...]:
    said = _said(item, prediction.output) if answered(prediction) else set()
    return _overlap(set(said), set(labels_of(item.task, item.target)))


def _tokens(_: Item, prediction: Prediction) -> tuple[float, ...]:
    if prediction.loss is None or prediction.tokens is None:
        return (np.nan, np.nan)
    return (prediction.loss * prediction.tokens, float(prediction.tokens))


def _ratio(sums: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums[..., 0] / sums[..., 1])


def _f1(sums: Array) -> Array:
    """2 TP / (said + gold); where nothing is to be found and nothing was said, nothing is measured (nan)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return 2 * sums[..., 0] / (sums[..., 1] + sums[..., 2])


def _macro_f1(sums: Array) -> Array:
    """Mean F1 over the classes that the targets show; sums hold (TP, said, gold) for each class."""
    by_class = sums.reshape(*sums.shape[:-1], -1, 3)
    each = np.where(by_class[..., 2] > 0, np.nan_to_num(_f1(by_class)), np.nan)
    shown = (by_class[..., 2] > 0).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.nansum(each, axis=-1) / shown)


MEASURES: dict[MetricName, Measure] = {
    "accuracy": Measure(_accuracy, _ratio, proportion=True),
    "tool_name_accuracy": Measure(_accuracy, _ratio, proportion=True),
    "tool_call_accuracy": Measure(_call_accuracy, _ratio, proportion=True),
    "macro_f1": Measure(_labels, _macro_f1),
    "span_f1": Measure(_spans, _f1),
    "label_f1": Measure(_labels, _f1),
    "token_loss": Measure(_tokens, _ratio, higher_is_better=False),
}


def per_item(metric: MetricName, items: Sequence[Item], predictions: Sequence[Prediction]) -> Array:
    """What each item adds, [items, k]; nan where an item cannot be measured."""
    if metric == "macro_f1":
        return _per_class(items, predictions)
    rows = [MEASURES[metric].counts(item, answer) for item, answer in zip(items, predictions, strict=True)]
    # Without items the width is unknown; three columns are enough for every measure to find nothing.
    return np.array(rows, dtype=np.float64).reshape(len(items), -1) if rows else np.empty((0, 3))


def _per_class(items: Sequence[Item], predictions: Sequence[Prediction]) -> Array:
    gold = [set(labels_of(item.task, item.target)) or {""} for item in items]
    said = [_said(item, p.output) or {""} if answered(p) else set() for item, p in zip(items, predictions, strict=True)]
    classes = sorted(set().union(*gold))
    rows = [
        [value for label in classes for value in (label in g and label in s, label in s, label in g)]
        for g, s in zip(gold, said, strict=True)
    ]
    return np.array(rows, dtype=np.float64).reshape(len(items), -1)


def value_of(metric: MetricName, counts: Array) -> float | None:
    """The metric over all rows, None where nothing can be measured."""
    if not len(counts):
        return None
    value = float(MEASURES[metric].value(counts.sum(axis=0)))
    return value if np.isfinite(value) else None


def interval(metric: MetricName, counts: Array, clusters: Sequence[str], seed: int = 0) -> tuple[float, float] | None:
    """95 % interval: percentile bootstrap over clusters; for proportions never narrower than Wilson's.

    Resampling whole conversations keeps the dependence of their items (Miller 2024, arXiv 2411.00640).
    """
    if value_of(metric, counts) is None:
        return None
    measure = MEASURES[metric]
    values = measure.value(resampled(cluster_sums(counts, clusters), seed))
    values = values[np.isfinite(values)]
    if not values.size:
        return None
    low, high = (float(q) for q in np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
    if measure.proportion:
        right, n = counts.sum(axis=0)
        wilson_low, wilson_high = wilson(int(right), int(n))
        return min(low, wilson_low), max(high, wilson_high)
    return low, high


def cluster_sums(counts: Array, clusters: Sequence[str]) -> Array:
    """Rows added up by cluster, [clusters, k]."""
    places = _places(clusters)
    sums = np.zeros((int(places.max()) + 1, counts.shape[1]))
    np.add.at(sums, places, counts)
    return sums


def _places(clusters: Sequence[str]) -> NDArray[np.intp]:
    """The number of each row's cluster."""
    return np.unique(np.asarray(clusters, dtype=object).astype(str), return_inverse=True)[1]


def resampled(sums: Array, seed: int, resamples: int = RESAMPLES) -> Array:
    """Sums of clusters drawn with replacement, [resamples, k]."""
    rng = np.random.default_rng(seed)
    n = len(sums)
    drawn = np.stack([np.bincount(rng.integers(0, n, n), minlength=n) @ sums for _ in range(resamples)])
    return drawn.astype(np.float64)


def wilson(right: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927)."""
    if n == 0:
        return 0.0, 1.0
    z = float(norm.ppf((1 + level) / 2))
    p = right / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)))
    return max(0.0, middle - half), min(1.0, middle + half)


def recall_at_fpr(scores: Array, positive: NDArray[np.bool_], rate: float) -> tuple[int, int] | None:
    """Positives found, and all positives, at the lowest threshold that lets at most `rate` of negatives through.

    None without a positive or a negative.
    """
    order = np.argsort(-scores)
    found, n = _recalled(scores[order], positive[order], np.ones(len(scores)), rate)
    return (int(found), int(n)) if np.isfinite(found) else None


def recall_interval(
    scores: Array, positive: NDArray[np.bool_], rate: float, clusters: Sequence[str], seed: int = 0
) -> tuple[float, float] | None:
    """95 % interval of `recall_at_fpr`: bootstrap over clusters, never narrower than Wilson's.

    Each resample chooses its own threshold, since that rests on few negatives. None where there is no recall.
    """
    measured = recall_at_fpr(scores, positive, rate)
    if measured is None:
        return None
    order = np.argsort(-scores)
    scores, positive = scores[order], positive[order]
    places = _places(clusters)[order]
    n = int(places.max()) + 1
    rng = np.random.default_rng(seed)
    drawn = (np.bincount(rng.integers(0, n, n), minlength=n)[places] for _ in range(RESAMPLES))
    sums = np.array([_recalled(scores, positive, weights.astype(np.float64), rate) for weights in drawn])
    values = _ratio(sums[np.isfinite(sums[:, 0])])
    if not values.size:
        return wilson(*measured)
    low, high = (float(q) for q in np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
    wilson_low, wilson_high = wilson(*measured)
    return min(low, wilson_low), max(high, wilson_high)


def _recalled(scores: Array, positive: NDArray[np.bool_], weights: Array, rate: float) -> tuple[float, float]:
    """Weight of the positives found and of all; items from the highest score down; nan where a side has no weight."""
    passed = np.cumsum(weights * ~positive)
    n = float(weights[positive].sum())
    if not n or not passed[-1]:
        return np.nan, np.nan
    first_too_many = int(np.searchsorted(passed, int(rate * passed[-1]), side="right"))
    threshold = scores[first_too_many] if first_too_many < len(scores) else -np.inf
    return float(weights[positive & (scores > threshold)].sum()), n
