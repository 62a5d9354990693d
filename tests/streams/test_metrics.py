"""The worker's metric names are a closed list, and Prometheus serves all of it."""

from __future__ import annotations

from typing import get_args

from prometheus_client import CollectorRegistry, generate_latest

from streams.metrics import COUNTERS, GAUGES, CounterName, GaugeName, PrometheusMetrics


def test_every_name_has_help_and_is_served() -> None:
    """The types and the help texts agree, and Prometheus shows each name with its text."""
    assert set(COUNTERS) == set(get_args(CounterName))
    assert set(GAUGES) == set(get_args(GaugeName))
    registry = CollectorRegistry()
    PrometheusMetrics(registry)
    served = generate_latest(registry).decode().splitlines()
    assert {f"# HELP still_worker_{name}_total {text}" for name, text in COUNTERS.items()} <= set(served)
    assert {f"# HELP still_worker_{name} {text}" for name, text in GAUGES.items()} <= set(served)
