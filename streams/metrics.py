"""What the worker measures: a closed list of names with their meaning, a recorder for Prometheus and a recording twin.

Names are added here, with help text, or nowhere.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Literal, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge

CounterName = Literal[
    "records_consumed",
    "records_produced",
    "records_rejected",
    "records_repeated",
    "chunks_acknowledged",
    "conversations_closed_idle",
    "produce_waits",
]
GaugeName = Literal["lag_records", "freshness_seconds", "held_bytes", "newest_record_us"]

HELP: dict[CounterName | GaugeName, str] = {
    "records_consumed": "Records taken from a source topic, acknowledged or refused",
    "records_produced": "Records that the broker confirmed",
    "records_rejected": "Records that went to the dead letters",
    "records_repeated": "Records seen before and therefore without effect",
    "chunks_acknowledged": "Chunks whose effects are durable",
    "conversations_closed_idle": "Closes proposed for conversations that were quiet too long",
    "produce_waits": "Times that a confirmation was late, half a second to five seconds each",
    "lag_records": "Records between the acknowledged position and the end of a partition, at the last fetch",
    "freshness_seconds": "From a record's Kafka timestamp to its acknowledgement, the oldest of the newest chunk",
    "held_bytes": "Bytes of events of open conversations in memory, per partition",
    "newest_record_us": "Kafka timestamp of the newest acknowledged record, microseconds UTC",
}
COUNTERS: tuple[CounterName, ...] = (
    "records_consumed", "records_produced", "records_rejected", "records_repeated", "chunks_acknowledged",
    "conversations_closed_idle", "produce_waits",
)  # fmt: skip
GAUGES: tuple[GaugeName, ...] = ("lag_records", "freshness_seconds", "held_bytes", "newest_record_us")


class Metrics(Protocol):
    """Where figures go; labels are the topic (without a value of any record) and the partition."""

    def add(self, name: CounterName, amount: int, *, topic: str) -> None:
        """Count up."""

    def set(self, name: GaugeName, value: float, *, topic: str, partition: int) -> None:
        """Note the current value."""


class NoMetrics:
    """Figures go nowhere."""

    def add(self, name: CounterName, amount: int, *, topic: str) -> None:
        """Nothing."""

    def set(self, name: GaugeName, value: float, *, topic: str, partition: int) -> None:
        """Nothing."""


class RecordedMetrics:
    """Figures kept in memory, for tests and benchmarks."""

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
    """Figures in a Prometheus registry, all names with the prefix `still_worker_`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counters = {
            name: Counter(f"still_worker_{name}", HELP[name], ["topic"], registry=registry) for name in COUNTERS
        }
        self._gauges = {
            name: Gauge(f"still_worker_{name}", HELP[name], ["topic", "partition"], registry=registry)
            for name in GAUGES
        }

    def add(self, name: CounterName, amount: int, *, topic: str) -> None:
        """Count up."""
        self._counters[name].labels(topic).inc(amount)

    def set(self, name: GaugeName, value: float, *, topic: str, partition: int) -> None:
        """Note the current value."""
        self._gauges[name].labels(topic, str(partition)).set(value)
