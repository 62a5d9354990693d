"""Both recorders hold the same after the same calls."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from schemas.recorder import MemoryRecorder, PrometheusRecorder, Recorder

TOPICS = st.sampled_from(["a", "b"])
ADDED = st.tuples(st.sampled_from(["read", "written"]), st.integers(0, 1000), TOPICS)
NOTED = st.tuples(st.sampled_from(["lag", "age"]), st.floats(allow_nan=False), TOPICS, st.integers(0, 3))


@given(st.lists(ADDED), st.lists(NOTED))
def test_both_recorders_hold_the_same(
    added: list[tuple[str, int, str]], noted: list[tuple[str, float, str, int]]
) -> None:
    """Counters sum up per topic, a gauge holds its newest value per partition: in memory as in Prometheus."""
    registry = CollectorRegistry()
    twin: MemoryRecorder[str, str] = MemoryRecorder()
    served = PrometheusRecorder(registry, "p_", {"read": "R", "written": "W"}, {"lag": "L", "age": "A"})
    recorders: tuple[Recorder[str, str], ...] = (twin, served)
    for recorder in recorders:
        for name, amount, topic in added:
            recorder.add(name, amount, topic=topic)
        for name, value, topic, partition in noted:
            recorder.set(name, value, topic=topic, partition=partition)
    for (name, topic), count in twin.counts.items():
        assert registry.get_sample_value(f"p_{name}_total", {"topic": topic}) == count
        assert count == sum(amount for name_, amount, topic_ in added if (name_, topic_) == (name, topic))
    for (name, topic, partition), value in twin.values.items():
        assert registry.get_sample_value(f"p_{name}", {"topic": topic, "partition": str(partition)}) == value
    assert {(name, topic) for name, _, topic in added} == set(twin.counts)
    assert {(name, topic, partition) for name, _, topic, partition in noted} == set(twin.values)
