"""A bounded choice of examples that keeps rare labels: by turns one of each label, in the order of the conversation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def varied(candidates: Sequence[tuple[str, T]], limit: int) -> list[tuple[str, T]]:
    """At most `limit` candidates (label, value), first ones of each label before second ones, order kept."""
    if limit <= 0:
        return []
    if len(candidates) <= limit:
        return list(candidates)
    seen: Counter[str] = Counter()
    ranks = []
    for position, (label, _) in enumerate(candidates):
        ranks.append((seen[label], position))
        seen[label] += 1
    return [candidates[position] for position in sorted(position for _, position in sorted(ranks)[:limit])]
