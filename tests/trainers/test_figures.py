"""The trainer's figures are a closed list, and both recorders hold the same."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from trainers.figures import RUN_ENDS, PrometheusFigures, RecordedFigures


def test_both_recorders_hold_the_same() -> None:
    """The twin in memory and Prometheus agree after the same calls, for every way in which a run can end."""
    registry = CollectorRegistry()
    twin = RecordedFigures()
    for figures in (PrometheusFigures(registry), twin):
        figures.fresh("intent", "shop", 7)
        for number, how in enumerate(RUN_ENDS, start=1):
            for _ in range(number):
                figures.run_ended("intent", "shop", how)
    track = {"task": "intent", "label_set": "shop"}
    assert twin.waiting["intent", "shop"] == 7
    assert registry.get_sample_value("still_trainer_fresh_examples", track) == 7
    for number, how in enumerate(RUN_ENDS, start=1):
        assert twin.ends["intent", "shop", how] == number
        assert registry.get_sample_value("still_trainer_runs_total", {**track, "end": how}) == number
