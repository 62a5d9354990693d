"""What the sink measures: a closed list of names with their meaning.

Names are added here, with help text, or nowhere. Labels are the topic without prefix and, of a lag, the partition.
"""

from __future__ import annotations

from typing import Literal

from prometheus_client import CollectorRegistry

from schemas.recorder import MemoryRecorder, PrometheusRecorder, Recorder

CounterName = Literal["records_read", "records_repeated", "records_rejected", "rows_landed"]
GaugeName = Literal["lag_records", "freshness_seconds"]

COUNTERS: dict[CounterName, str] = {
    "records_read": "Records taken from a topic",
    "records_repeated": "Records that had landed before and therefore have no effect",
    "records_rejected": "Records that the sink put into the dead letters",
    "rows_landed": "Rows that ClickHouse has confirmed",
}
GAUGES: dict[GaugeName, str] = {
    "lag_records": "Records between the landed position and the end of a partition",
    "freshness_seconds": "From a record's Kafka timestamp to its confirmed row, the oldest of the newest block; to now,"
    " for one that waits longer",
}

Metrics = Recorder[CounterName, GaugeName]
RecordedMetrics = MemoryRecorder[CounterName, GaugeName]


class PrometheusMetrics(PrometheusRecorder[CounterName, GaugeName]):
    """Figures in a Prometheus registry, all names with the prefix `still_sink_`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry, "still_sink_", COUNTERS, GAUGES)
