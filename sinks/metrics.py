"""What the sink measures: a closed list of names with their meaning, a recorder for Prometheus and a recording twin.

Names are added here, with help text, or nowhere.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Literal, Protocol, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge

CounterName = Literal["records_read", "records_repeated", "records_rejected", "rows_landed"]
GaugeName = Literal["lag_records", "freshness_seconds"]

HELP: dict[CounterName | GaugeName, str] = {
    "records_read": "Records taken from a topic",
    "records_repeated": "Records that had landed before and therefore have no effect",
    "records_rejected": "Records that the sink put into the dead letters",
    "rows_landed": "Rows that ClickHouse has confirmed",
    "lag_records": "Records between the landed position and the end of a partition",
    "freshness_seconds": "From a record's Kafka timestamp to its confirmed row, the oldest of the newest block",
}
COUNTERS: tuple[CounterName, ...] = get_args(CounterName)
GAUGES: tuple[GaugeName, ...] = get_args(GaugeName)


class Metrics(Protocol):
    """Where figures go; labels are the topic without prefix and, of a lag, the partition."""

    def add(self, name: CounterName, amount: int, *, topic: str) -> None:
        """Count up."""

    def set(self, name: GaugeName, value: float, *, topic: str, partition: int) -> None:
        """Note the current value."""


class RecordedMetrics:
    """Figures kept in memory, for tests and for those who serve none."""

    def __init__(self) -> None:
        self.counts: dict[tuple[CounterName, str], int] = defaultdict(int)
        self.values: dict[tuple[GaugeName, str, int], float] = {}

    def add(self, name: CounterName, amount: int, *, topic: str) -> None:
        """Count up."""
        self.counts[name, topic] += amount

    def set(self, name: GaugeName, value: float, *, topic: str, partition: int) -> None:
        """Keep the value."""
        self.values[name, topic, partition] = value


class PrometheusMetrics:
    """Figures in a Prometheus registry, all names with the prefix `still_sink_`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counters = {
            name: Counter(f"still_sink_{name}", HELP[name], ["topic"], registry=registry) for name in COUNTERS
        }
        self._gauges = {
            name: Gauge(f"still_sink_{name}", HELP[name], ["topic", "partition"], registry=registry) for name in GAUGES
        }

    def add(self, name: CounterName, amount: int, *, topic: str) -> None:
        """Count up."""
        self._counters[name].labels(topic).inc(amount)

    def set(self, name: GaugeName, value: float, *, topic: str, partition: int) -> None:
        """Note the current value."""
        self._gauges[name].labels(topic, str(partition)).set(value)
