"""What is being inserted is told once when it has landed, and left where nobody answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.ceiling import Limits
from sinks.errors import LeaseLost
from sinks.flights import Flights
from sinks.memory import MemoryDeadLetters, MemoryStore
from sinks.signals import Signals
from sinks.tables import table
from tests.sinks.made import EXAMPLES, FrozenStore, batch_of

ROWS = 3


def _flights(store: MemoryStore, signals: Signals) -> Flights:
    return Flights(store, MemoryDeadLetters(), Limits(), signals)


def test_what_has_landed_is_told_once() -> None:
    """Nothing while the store does not answer; then the batch with its new rows, and never again."""
    store, signals = FrozenStore(), Signals()
    flights = _flights(store, signals)
    flights.start(batch := batch_of(ROWS), store.take_leases([EXAMPLES]))
    assert (list(flights.landed()), "examples" in flights, set(signals.inserting)) == ([], True, {"examples"})
    store.goes_on.set()
    flights.wait()
    assert list(flights.landed()) == [(batch, ROWS)]
    assert (list(flights.landed()), len(flights), signals.inserting) == ([], 0, {})
    assert flights.give_up() == 0


def test_a_failure_surfaces_where_it_is_asked_for() -> None:
    """Rows of a lost lease land nowhere, and the loop hears of it."""
    store = MemoryStore()
    flights = _flights(store, Signals())
    old = store.take_leases([EXAMPLES])
    store.take_leases([EXAMPLES])
    flights.start(batch_of(ROWS), old)
    flights.wait()
    with pytest.raises(LeaseLost):
        list(flights.landed())
    assert store.rows("examples") == []
    assert flights.give_up() == 0


def test_a_stop_leaves_what_has_no_answer() -> None:
    """Two threads stand still, a third batch never begins: two are left, and none of them is asked for again."""
    store, signals = FrozenStore(), Signals()
    flights = _flights(store, signals)
    leases = store.take_leases([EXAMPLES])
    try:
        for topic in ("examples", "scores", "conversations"):
            flights.start(replace(batch_of(ROWS), table=replace(table("examples"), topic=topic)), leases)
        signals.stop.set()
        flights.wait()
        assert flights.give_up() == 2
        assert (list(flights.landed()), len(flights), signals.inserting) == ([], 0, {})
    finally:
        store.goes_on.set()
