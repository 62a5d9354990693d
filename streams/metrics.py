"""What the worker measures: a closed list of names with their meaning.

Names are added here, with help text, or nowhere. Labels are the topic and, of a gauge, the partition.
"""

from __future__ import annotations

from typing import Literal

from prometheus_client import CollectorRegistry

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
    "lag_records": "Records between the acknowledged position and the end of a partition, at the last fetch",
    "freshness_seconds": "From a record's Kafka timestamp to its acknowledgement, the oldest of the newest chunk",
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


class PrometheusMetrics(PrometheusRecorder[CounterName, GaugeName]):
    """Figures in a Prometheus registry, all names with the prefix `still_worker_`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry, "still_worker_", COUNTERS, GAUGES)
