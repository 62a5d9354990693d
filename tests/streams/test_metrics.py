"""Metric names are a closed list, and both recorders know all of it."""

from __future__ import annotations

from typing import get_args

from prometheus_client import CollectorRegistry, generate_latest

from streams.metrics import COUNTERS, GAUGES, HELP, CounterName, GaugeName, PrometheusMetrics, RecordedMetrics


def test_every_name_has_help_and_is_served() -> None:
    """The lists, the types and the help texts agree, and Prometheus shows each name with its text."""
    assert set(COUNTERS) == set(get_args(CounterName))
    assert set(GAUGES) == set(get_args(GaugeName))
    assert set(HELP) == {*COUNTERS, *GAUGES}
    registry = CollectorRegistry()
    PrometheusMetrics(registry)
    text = generate_latest(registry).decode()
    assert all(f"still_worker_{name}" in text for name in HELP)


def test_both_recorders_count_alike() -> None:
    """The twin in memory and Prometheus hold the same figures after the same calls."""
    registry = CollectorRegistry()
    twin = RecordedMetrics()
    for metrics in (PrometheusMetrics(registry), twin):
        metrics.add("records_consumed", 2, topic="t")
        metrics.add("records_consumed", 3, topic="t")
        metrics.set("lag_records", 7, topic="t", partition=1)
    assert twin.counts["records_consumed", "t"] == 5
    assert registry.get_sample_value("still_worker_records_consumed_total", {"topic": "t"}) == 5
    assert twin.values["lag_records", "t", 1] == 7
    assert registry.get_sample_value("still_worker_lag_records", {"topic": "t", "partition": "1"}) == 7
