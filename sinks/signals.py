"""What a sink shows and hears while it runs: whether it has partitions, that it lives, what it measures, a stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event

from sinks.metrics import Metrics, RecordedMetrics

LONGEST_INSERT_S = 30.0
"""A block that has not landed for so long, by itself or by repeated tries, keeps the sink from its work."""


@dataclass(frozen=True, slots=True)
class Signals:
    """`ready` is set while there are partitions; whoever sets `stop` asks for a graceful end.

    `beat` is called at every turn of the loop; figures go to `metrics`. `inserting` says of each topic since when, by
    the monotonic clock, its block is being inserted.
    """

    ready: Event = field(default_factory=Event)
    stop: Event = field(default_factory=Event)
    beat: Callable[[], None] = lambda: None
    metrics: Metrics = field(default_factory=RecordedMetrics)
    inserting: dict[str, float] = field(default_factory=dict)

    def stuck(self) -> str | None:
        """Which topic's block has not landed for too long; None = none. Any thread may ask."""
        now_s = time.monotonic()
        waits = {topic: now_s - since_s for topic, since_s in self.inserting.copy().items()}
        late = [f"{topic} for {wait_s:.0f} s" for topic, wait_s in waits.items() if wait_s > LONGEST_INSERT_S]
        return f"ClickHouse has not taken a block of {', '.join(late)}; the log says why" if late else None
