"""What the worker shows of each partition that it holds: how far behind it is, how fresh, up to when.

Holds no clock and no broker: the consumer says what it knows, and asks again every second, so that a stage that hangs
shows in figures that grow. A figure that is not known has no gauge; a partition that goes takes all of its own along,
those of the stages too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from streams.metrics import Metrics


class Place(NamedTuple):
    """A partition; Faust's TP is equal to it."""

    topic: str
    partition: int


@dataclass(slots=True)
class _Held:
    """The next offset to acknowledge, where the partition was last heard to end, the last acknowledgement's age."""

    position: int
    end: int | None = None
    freshness_s: float | None = None


class Gauges:
    """The gauges of the held partitions; all calls come from one thread."""

    def __init__(self, metrics: Metrics, now_s: Callable[[], float] = time.time) -> None:
        self._metrics = metrics
        self._now_s = now_s
        self._held: dict[Place, _Held] = {}

    @property
    def held(self) -> list[Place]:
        """The partitions that are shown."""
        return list(self._held)

    def hold(self, positions: Mapping[Place, int]) -> None:
        """These partitions are ours, and no others, each to be read from its offset on."""
        for place in self._held.keys() - positions.keys():
            self.drop(place)
        self._held = {place: _Held(position) for place, position in positions.items()}

    def drop(self, place: Place) -> None:
        """A partition is not ours any more: what was last known of it here would stand for ever."""
        self._held.pop(place, None)
        self._metrics.forget(topic=place.topic, partition=place.partition)

    def heard(self, place: Place, end: int | None) -> None:
        """The partition is said to end at this offset; None = nobody said.

        The furthest counts: the embedded broker, asked, names the start of its last batch, and a fetch the end.
        """
        held = self._held.get(place)
        if held is not None and end is not None:
            held.end = end if held.end is None else max(held.end, end)

    def acknowledged(self, place: Place, position: int | None, oldest_us: int, newest_us: int) -> None:
        """A chunk of records with these Kafka timestamps is durable; the partition is done up to `position`."""
        held = self._held.get(place)
        if held is None:
            return
        held.position = held.position if position is None else position
        held.freshness_s = self._now_s() - oldest_us / 1e6
        self._metrics.set("newest_record_us", newest_us, topic=place.topic, partition=place.partition)

    def show(self, place: Place, waits_since_us: int | None) -> None:
        """Set what is known now; `waits_since_us` is the timestamp of the oldest record that waits for its effects."""
        held = self._held.get(place)
        if held is None:
            return
        if held.end is not None:
            lag = max(0, held.end - held.position)
            self._metrics.set("lag_records", lag, topic=place.topic, partition=place.partition)
        waits_s = None if waits_since_us is None else self._now_s() - waits_since_us / 1e6
        ages_s = [age_s for age_s in (held.freshness_s, waits_s) if age_s is not None]
        if ages_s:
            self._metrics.set("freshness_seconds", max(ages_s), topic=place.topic, partition=place.partition)
