"""Champions: one fold for everybody, unmoved by repeats, handing back when a champion is withdrawn."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.adapters import fold, in_order
from schemas.records import ModelEvent
from tests.adapters import event

A, B = "intent-00001-aaaaaaaa", "intent-00002-bbbbbbbb"

events = st.lists(
    st.builds(
        event,
        st.sampled_from([A, B, "intent-00003-cccccccc"]),
        st.sampled_from(["trained", "evaluated", "rejected", "promoted", "rolled_back", "retired", "tainted"]),
        st.integers(0, 5),
    )
)


def _champion(*happened: ModelEvent) -> str | None:
    found = fold(happened).champion("intent", "shop")
    return found.adapter if found else None


def test_nobody_is_champion_before_a_promotion() -> None:
    """A trained and evaluated version does not serve."""
    assert _champion(event(A, "trained"), event(A, "evaluated")) is None


def test_the_newest_promotion_serves() -> None:
    """A later promotion takes over; another label set keeps none."""
    states = fold([event(A), event(B)])
    assert states.champions().keys() == {("intent", "shop")}
    assert _champion(event(A), event(B)) == B


def test_a_withdrawn_champion_hands_back() -> None:
    """After a roll-back the version before it serves again; after both are gone, none."""
    assert _champion(event(A), event(B), event(B, "rolled_back")) == A
    assert _champion(event(A), event(B), event(B, "tainted"), event(A, "retired")) is None


@given(events)
def test_repeats_change_nothing(happened: list[ModelEvent]) -> None:
    """Folding every event twice gives the same champion and the same newest events."""
    once, twice = fold(happened), fold([*happened, *happened])
    assert (once.champions(), once.newest) == (twice.champions(), twice.newest)


@given(events)
def test_ordering_is_stable(happened: list[ModelEvent]) -> None:
    """Sorting twice is sorting once."""
    ordered = in_order(happened)
    assert in_order(ordered) == ordered


def test_a_life_is_told_in_order() -> None:
    """Events of one moment come as a version lives: trained, evaluated, promoted."""
    life = [event(A, "trained"), event(A, "evaluated"), event(A, "promoted")]
    assert in_order(reversed(life)) == life
