"""Figures of a partition end with its revocation, in Prometheus and in the twin."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from sinks.metrics import PrometheusMetrics, RecordedMetrics


def test_a_forgotten_partition_shows_nothing() -> None:
    """Its gauges go, also where only some were ever set; its topic's counts and other partitions stay."""
    registry, twin = CollectorRegistry(), RecordedMetrics()
    for metrics in (PrometheusMetrics(registry), twin):
        metrics.add("rows_landed", 7, topic="examples")
        for partition in (0, 1):
            metrics.set("lag_records", 5, topic="examples", partition=partition)
        metrics.forget(topic="examples", partition=0)
        metrics.forget(topic="examples", partition=9)
    shown = generate_latest(registry).decode()
    assert 'still_sink_lag_records{partition="1",topic="examples"} 5.0' in shown
    assert 'partition="0"' not in shown
    assert 'still_sink_rows_landed_total{topic="examples"} 7.0' in shown
    assert twin.values == {("lag_records", "examples", 1): 5}
    assert twin.counts["rows_landed", "examples"] == pytest.approx(7)
