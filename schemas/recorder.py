"""Where a process puts its figures: Prometheus, or a twin in memory. Shared by all; the names are each owner's own.

An owner has a closed list of counters and one of gauges, each name with its help text, and a prefix. Counters carry
the label `topic`, gauges `topic` and `partition`; no label holds a value of any record.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge

CounterT = TypeVar("CounterT", bound=str)
GaugeT = TypeVar("GaugeT", bound=str)
Counter_contra = TypeVar("Counter_contra", bound=str, contravariant=True)
Gauge_contra = TypeVar("Gauge_contra", bound=str, contravariant=True)


class Recorder(Protocol[Counter_contra, Gauge_contra]):
    """Takes figures."""

    def add(self, name: Counter_contra, amount: int, *, topic: str) -> None:
        """Count up."""

    def set(self, name: Gauge_contra, value: float, *, topic: str, partition: int) -> None:
        """Note the current value."""

    def forget(self, *, topic: str, partition: int) -> None:
        """Another process has the partition: what was last known of it here would stand for ever."""


class MemoryRecorder(Generic[CounterT, GaugeT]):
    """Figures kept in memory, for tests, benchmarks and those who serve none."""

    def __init__(self) -> None:
        self.counts: dict[tuple[CounterT, str], int] = defaultdict(int)
        self.values: dict[tuple[GaugeT, str, int], float] = {}

    def add(self, name: CounterT, amount: int, *, topic: str) -> None:
        """Count up."""
        self.counts[name, topic] += amount

    def set(self, name: GaugeT, value: float, *, topic: str, partition: int) -> None:
        """Keep the value."""
        self.values[name, topic, partition] = value

    def forget(self, *, topic: str, partition: int) -> None:
        """Drop the partition's values."""
        self.values = {key: value for key, value in self.values.items() if key[1:] != (topic, partition)}


class PrometheusRecorder(Generic[CounterT, GaugeT]):
    """Figures in a Prometheus registry, each name after `prefix`."""

    def __init__(
        self, registry: CollectorRegistry, prefix: str, counters: Mapping[CounterT, str], gauges: Mapping[GaugeT, str]
    ) -> None:
        self._counters = {
            name: Counter(prefix + name, text, ["topic"], registry=registry) for name, text in counters.items()
        }
        self._gauges = {
            name: Gauge(prefix + name, text, ["topic", "partition"], registry=registry) for name, text in gauges.items()
        }

    def add(self, name: CounterT, amount: int, *, topic: str) -> None:
        """Count up."""
        self._counters[name].labels(topic).inc(amount)

    def set(self, name: GaugeT, value: float, *, topic: str, partition: int) -> None:
        """Note the current value."""
        self._gauges[name].labels(topic, str(partition)).set(value)

    def forget(self, *, topic: str, partition: int) -> None:
        """Drop the partition's values."""
        for gauge in self._gauges.values():
            with contextlib.suppress(KeyError):  # not every gauge was ever set
                gauge.remove(topic, str(partition))
