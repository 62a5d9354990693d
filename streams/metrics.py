"""What the worker measures: a closed list of names with their meaning.

Names are added here, with help text, or nowhere. Labels are the topic without its deployment's prefix and, of a gauge,
the partition.
"""

from __future__ import annotations

from typing import Literal

from prometheus_client import CollectorRegistry

from schemas import catalog
from schemas.recorder import MemoryRecorder, PrometheusRecorder, Recorder

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

COUNTERS: dict[CounterName, str] = {
    "records_consumed": "Records taken from a source topic, acknowledged or refused",
    "records_produced": "Records that the broker confirmed",
    "records_rejected": "Records that went to the dead letters",
    "records_repeated": "Records seen before and therefore without effect",
    "chunks_acknowledged": "Chunks whose effects are durable",
    "conversations_closed_idle": "Closes proposed for conversations that were quiet too long",
    "produce_waits": "Times that a confirmation was late, half a second to five seconds each",
}
GAUGES: dict[GaugeName, str] = {
    "lag_records": "Records between the acknowledged position and the end of a partition, asked every second",
    "freshness_seconds": "From a record's Kafka timestamp to its acknowledgement, the oldest of the newest chunk;"
    " to now, for one that waits longer",
    "held_bytes": "Bytes of events of open conversations in memory, per partition",
    "newest_record_us": "Kafka timestamp of the newest acknowledged record, microseconds UTC",
}

Metrics = Recorder[CounterName, GaugeName]
RecordedMetrics = MemoryRecorder[CounterName, GaugeName]


class NoMetrics:
    """Figures go nowhere."""

    def add(self, name: CounterName, amount: int, *, topic: str) -> None:
        """Nothing."""

    def set(self, name: GaugeName, value: float, *, topic: str, partition: int) -> None:
        """Nothing."""

    def forget(self, *, topic: str, partition: int) -> None:
        """Nothing."""


class Unprefixed:
    """Hands figures on under the topic's own name.

    Consumer and producer know a topic by its Kafka name, stages by ours: here, and nowhere else, both become one label,
    so that what one of them shows of a partition and what another forgets is the same.
    """

    def __init__(self, inner: Metrics, prefix: str) -> None:
        self._inner = inner
        self._prefix = prefix

    def add(self, name: CounterName, amount: int, *, topic: str) -> None:
        """See `Recorder`."""
        self._inner.add(name, amount, topic=self._label(topic))

    def set(self, name: GaugeName, value: float, *, topic: str, partition: int) -> None:
        """See `Recorder`."""
        self._inner.set(name, value, topic=self._label(topic), partition=partition)

    def forget(self, *, topic: str, partition: int) -> None:
        """See `Recorder`."""
        self._inner.forget(topic=self._label(topic), partition=partition)

    def _label(self, topic: str) -> str:
        return topic if topic in catalog.topics() else topic.removeprefix(self._prefix)


class PrometheusMetrics(PrometheusRecorder[CounterName, GaugeName]):
    """Figures in a Prometheus registry, all names with the prefix `still_worker_`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry, "still_worker_", COUNTERS, GAUGES)
