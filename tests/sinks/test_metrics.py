"""The sink's metric names are a closed list, and both recorders know all of it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from sinks.metrics import COUNTERS, GAUGES, HELP, PrometheusMetrics, RecordedMetrics


def test_every_name_has_help_and_is_served() -> None:
    """Lists and help texts agree, and Prometheus shows each name with its text."""
    assert set(HELP) == {*COUNTERS, *GAUGES}
    registry = CollectorRegistry()
    PrometheusMetrics(registry)
    text = generate_latest(registry).decode()
    assert all(f"still_sink_{name}" in text for name in HELP)


def test_both_recorders_hold_the_same() -> None:
    """The twin in memory and Prometheus hold the same figures after the same calls."""
    registry = CollectorRegistry()
    twin = RecordedMetrics()
    for metrics in (PrometheusMetrics(registry), twin):
        metrics.add("rows_landed", 2, topic="t")
        metrics.add("rows_landed", 3, topic="t")
        metrics.set("lag_records", 7, topic="t", partition=1)
    assert twin.counts["rows_landed", "t"] == 5
    assert registry.get_sample_value("still_sink_rows_landed_total", {"topic": "t"}) == 5
    assert twin.values["lag_records", "t", 1] == 7
    assert registry.get_sample_value("still_sink_lag_records", {"topic": "t", "partition": "1"}) == 7
