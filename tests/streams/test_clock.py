"""A partition's clock is what most of its conversations say, and a function of their newest states alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas.logtime import LATEST_US
from schemas.records import AssemblyState
from streams.clock import VOICES, PartitionClock

HOUR = 3_600_000_000


def state(conversation: int, offset: int, time_us: int) -> AssemblyState:
    """A conversation's newest state."""
    return AssemblyState(f"c{conversation}", "k", 0, offset, "closed", 1, time_us)


def heard(states: list[AssemblyState]) -> PartitionClock:
    """The clock that has heard these."""
    clock = PartitionClock()
    for one in states:
        clock.hear(one)
    return clock


def test_nothing_heard_is_no_time() -> None:
    """Then nothing is past."""
    assert PartitionClock().now_us == 0
    assert not PartitionClock().is_past(0)


@given(
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 9)), min_size=1, max_size=300),
    st.randoms(use_true_random=False),
    st.data(),
)
def test_newest_states_in_any_order_tell_the_same_time(
    said: list[tuple[int, int]], chance: object, data: st.DataObject
) -> None:
    """A worker that has heard every state and one that restored the newest ones know one time, and it is the median."""
    states = [state(conversation, offset, time_us) for offset, (conversation, time_us) in enumerate(said)]
    newest = list({one.conversation_id: one for one in states}.values())
    restored = list(newest)
    chance.shuffle(restored)  # type: ignore[attr-defined]
    asked = sorted(newest, key=lambda one: -one.offset)[:VOICES]
    times = sorted(one.last_activity_at for one in asked)
    assert heard(states).now_us == heard(restored).now_us == times[(len(times) - 1) // 2]
    time_us = data.draw(st.integers(0, 10))
    assert heard(states).is_past(time_us) == (time_us < heard(states).now_us)


@given(st.lists(st.sampled_from([0, 48 * HOUR, LATEST_US]), max_size=VOICES // 2), st.randoms(use_true_random=False))
def test_a_minority_moves_nothing(wrong: list[int], chance: object) -> None:
    """Whatever fewer than half of the conversations say, the time is one that an honest one has said."""
    times = [10 * HOUR + n for n in range(VOICES - len(wrong))] + wrong
    chance.shuffle(times)  # type: ignore[attr-defined]
    now_us = heard([state(n, n, time_us) for n, time_us in enumerate(times)]).now_us
    assert 10 * HOUR <= now_us < 10 * HOUR + VOICES
