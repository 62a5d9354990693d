"""Where an adapter still errs: errors per bucket on the development split, as weights for the next batch.

Only development errors come in here; a benchmark that steered training would stop being one. Rates of small buckets are
drawn towards the overall rate (empirical Bayes with a fixed prior), so that one unlucky item moves little.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from trainers.items import Item

PRIOR_ITEMS = 5.0
LEAST_NEED, MOST_NEED = 0.5, 3.0


@dataclass(frozen=True, slots=True)
class Gap:
    """A bucket with its items, errors and need; need 1 = as much as the average bucket."""

    bucket: str
    n: int
    errors: int
    need: float


@dataclass(frozen=True, slots=True)
class Needs:
    """How much more (or less) of each bucket the next batch should hold, and why."""

    gaps: tuple[Gap, ...] = ()
    by_bucket: Mapping[str, float] = field(default_factory=dict)
    by_label: Mapping[str, float] = field(default_factory=dict)

    def of(self, item: Item) -> float:
        """An item's need: its bucket's, else its label's, else 1 (nothing is known)."""
        return self.by_bucket.get(item.bucket, self.by_label.get(label_of(item.bucket), 1.0))


NO_NEEDS = Needs()


def find_gaps(slices: Iterable[Mapping[str, Any]]) -> Needs:
    """The needs that an evaluation's slices ({bucket, n, errors}) show, the neediest gap first; none without errors."""
    counted = {str(row["bucket"]): (int(row["n"]), int(row["errors"])) for row in slices}
    total, wrong = (sum(pair[i] for pair in counted.values()) for i in (0, 1))
    if not wrong:
        return NO_NEEDS
    overall = wrong / total
    by_bucket = {bucket: _need(n, errors, overall) for bucket, (n, errors) in counted.items()}
    gaps = (Gap(bucket, n, errors, by_bucket[bucket]) for bucket, (n, errors) in counted.items())
    return Needs(
        tuple(sorted(gaps, key=lambda gap: (-gap.need, gap.bucket))),
        by_bucket,
        {label: _need(n, errors, overall) for label, (n, errors) in _by_label(counted).items()},
    )


def label_of(bucket: str) -> str:
    """The label in `task/label/difficulty/language/origin` or `task/label`; labels may hold slashes themselves."""
    parts = bucket.split("/")
    return "/".join(parts[1:-3] if len(parts) >= 5 else parts[1:])


def _need(n: int, errors: int, overall: float) -> float:
    rate = (errors + PRIOR_ITEMS * overall) / (n + PRIOR_ITEMS)
    return round(min(MOST_NEED, max(LEAST_NEED, rate / overall)), 4)


def _by_label(counted: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    items: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    for bucket, (n, wrong) in counted.items():
        items[label_of(bucket)] += n
        errors[label_of(bucket)] += wrong
    return {label: (items[label], errors[label]) for label in items}
