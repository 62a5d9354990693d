"""Gauges tell how far behind and how fresh a partition is, also while nothing moves; what is unknown has none."""

from __future__ import annotations

from collections.abc import Callable

from streams.gauges import Gauges, Place
from streams.metrics import CounterName, GaugeName, RecordedMetrics, Unprefixed

PLACE = Place("conversation.events", 2)
OTHER = Place("conversation.events", 3)
SECOND = 1_000_000


class World:
    """Gauges of a partition that is read from offset 10 on, at second 100."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.metrics = RecordedMetrics()
        self.gauges = Gauges(self.metrics, lambda: self.now_s)
        self.gauges.hold({PLACE: 10})

    def shown(self, name: GaugeName, place: Place = PLACE) -> float | None:
        """A gauge's value; None = there is no such gauge."""
        return self.metrics.values.get((name, *place))


def test_an_unknown_end_is_no_lag_of_zero() -> None:
    """Before anybody has said where the partition ends there is no lag; at its end it is 0."""
    world = World()
    world.gauges.heard(PLACE, None)
    world.gauges.show(PLACE, None)
    assert world.metrics.values == {}
    world.gauges.heard(PLACE, 10)
    world.gauges.show(PLACE, None)
    assert world.metrics.values == {("lag_records", *PLACE): 0}


def test_both_grow_while_a_stage_hangs() -> None:
    """Lag counts from what is acknowledged, not from what was fetched; a waiting record ages."""
    world = World()
    for end, now_s in ((15, 101.0), (40, 130.0)):
        world.now_s = now_s
        world.gauges.heard(PLACE, end)
        world.gauges.show(PLACE, 99 * SECOND)
        assert world.shown("lag_records") == end - 10
        assert world.shown("freshness_seconds") == now_s - 99
    world.gauges.acknowledged(PLACE, 40, 99 * SECOND, 129 * SECOND)
    world.gauges.show(PLACE, None)
    assert world.shown("lag_records") == 0
    assert world.shown("newest_record_us") == 129 * SECOND


def test_what_comes_fresh_does_not_hide_what_was_late() -> None:
    """Until it is acknowledged a new chunk shows as late only once it is later than the one before."""
    world = World()
    world.gauges.acknowledged(PLACE, 11, 70 * SECOND, 71 * SECOND)
    world.gauges.show(PLACE, 99 * SECOND)
    assert world.shown("freshness_seconds") == 30
    world.now_s = 140.0
    world.gauges.show(PLACE, 99 * SECOND)
    assert world.shown("freshness_seconds") == 41


def test_the_furthest_end_counts() -> None:
    """A broker that names an earlier end than a fetch did is the embedded one."""
    world = World()
    world.gauges.heard(PLACE, 40)
    world.gauges.heard(PLACE, 31)
    world.gauges.show(PLACE, None)
    assert world.shown("lag_records") == 30


def test_a_lost_partition_shows_nothing_more() -> None:
    """Neither what was shown stays, nor does a late word bring it back; those that stay are shown on."""
    world = World()
    ways: list[Callable[[], None]] = [lambda: world.gauges.drop(PLACE), lambda: world.gauges.hold({OTHER: 5})]
    for lose in ways:
        world.gauges.hold({PLACE: 10, OTHER: 5})
        for place in (PLACE, OTHER):
            world.gauges.heard(place, 20)
            world.gauges.acknowledged(place, 15, 99 * SECOND, 99 * SECOND)
            world.gauges.show(place, None)
        lose()
        world.gauges.heard(PLACE, 99)
        world.gauges.acknowledged(PLACE, 16, 99 * SECOND, 99 * SECOND)
        world.gauges.show(PLACE, 99 * SECOND)
        assert {key[1:] for key in world.metrics.values} == {OTHER}


def test_prefixed_and_own_names_are_one_label() -> None:
    """Consumer and producer say the Kafka name, a stage ours; dashboards see ours, whatever the prefix is."""
    for prefix in ("", "acme.", "conversation."):
        metrics = RecordedMetrics()
        shown = Unprefixed(metrics, prefix)
        counter: CounterName = "records_consumed"
        for topic in (prefix + PLACE.topic, PLACE.topic):
            shown.set("held_bytes", 1, topic=topic, partition=0)
            shown.add(counter, 1, topic=topic)
            assert list(metrics.values) == [("held_bytes", PLACE.topic, 0)]
            shown.forget(topic=prefix + PLACE.topic, partition=0)
            assert metrics.values == {}
        assert metrics.counts == {(counter, PLACE.topic): 2}
