"""What every store of examples answers besides the examples themselves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Freshness:
    """How many admitted training examples landed after a watermark, and when the first of them did (microseconds)."""

    count: int
    oldest_us: int | None
