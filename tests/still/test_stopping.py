"""A stop waits for what is on its way, but never longer than it may."""

from __future__ import annotations

import time
from collections.abc import Sequence
from threading import Event

import pytest

from still.lag import EndsUnknown, Lag
from still.stopping import Account, Patience, Stops, drain
from still.told import account_lines


def _lag(end: int, waiting: int, topic: str = "examples") -> Lag:
    return Lag("still.sink", topic, end, waiting, waiting)


def _patience(seconds: float = 60.0) -> Patience:
    return Patience(time.monotonic() + seconds, Event())


@pytest.mark.parametrize(
    ("looks", "taken"),
    [
        ([[_lag(5, 0)], [_lag(5, 0)]], 2),
        ([[_lag(5, 2)], [_lag(5, 0)], [_lag(5, 0)]], 3),
        # The worker finished between the two halves of the first look: what it wrote shows in the second.
        ([[_lag(5, 0)], [_lag(9, 4)], [_lag(9, 0)], [_lag(9, 0)]], 4),
        ([[_lag(5, 0)], [_lag(9, 0)], [_lag(9, 0)]], 3),
    ],
)
def test_drained_is_what_two_looks_say(looks: list[list[Lag]], taken: int) -> None:
    """Nothing waits twice in a row, and nothing new came in between."""
    left, told = iter(looks), list[int]()
    assert drain(lambda: next(left), _patience(), told.append)
    assert len(told) == taken


def test_patience_ends_a_wait() -> None:
    """A deadline that has passed, or a second Ctrl-C, ends it with a no, also where something waits for ever."""
    stops = Stops()

    def look() -> Sequence[Lag]:
        stops.heard()
        return [_lag(5, 1)]

    assert not drain(look, Patience(time.monotonic() + 60, stops.hurried), lambda _: None)
    assert stops.hurried.is_set()
    assert not drain(look, _patience(0.0), lambda _: None)


def test_first_signal_asks_and_the_second_hurries() -> None:
    """One Ctrl-C stops in order; only another one skips the waiting."""
    stops = Stops()
    stops.heard()
    assert (stops.asked.is_set(), stops.hurried.is_set()) == (True, False)
    stops.heard()
    assert stops.hurried.is_set()


def test_account_says_what_the_memory_broker_took() -> None:
    """Rows that are kept, records that are lost with their topic, contacts that were closed."""
    account = Account("memory", {"scores": 1200, "examples": 0}, (_lag(9, 3),), closed=2, open=1)
    assert list(account_lines(account)) == [
        "kept      rows in ClickHouse: scores 1,200",
        "not read  examples 3 (still.sink); lost with the in-memory broker",
        "closed    2 contacts that were open, because the in-memory broker forgets their turns",
        "open      1 contacts; lost with the in-memory broker",
    ]


def test_account_says_what_waits_in_apache_kafka() -> None:
    """The same records are no loss there, and what could not be counted is called unknown."""
    account = Account("apache", None, (_lag(9, 3),), closed=None, open=None)
    assert list(account_lines(account)) == [
        "kept      unknown: ClickHouse did not answer",
        "not read  examples 3 (still.sink); they wait in Kafka for the next start",
        "open      unknown",
    ]


def test_account_says_why_rows_could_not_be_counted() -> None:
    """In ClickHouse's words, where it answered: a dropped table is not silence."""
    account = Account("memory", None, (), closed=0, open=0, unknown="Code: 60. Unknown table stillstream.scores")
    assert next(account_lines(account)) == "kept      unknown: Code: 60. Unknown table stillstream.scores"


def test_a_look_that_did_not_hear_every_end_says_nothing() -> None:
    """Unknown is not drained: the next looks decide."""
    looks: list[list[Lag] | None] = [[_lag(5, 0)], None, [_lag(5, 3)], [_lag(5, 0)], [_lag(5, 0)]]
    left = iter(looks)

    def look() -> list[Lag]:
        if (found := next(left)) is None:
            raise EndsUnknown("busy")
        return found

    told: list[int] = []
    assert drain(look, _patience(), told.append)
    assert told == [0, 3, 0, 0]


def test_account_says_where_an_insert_stayed_without_an_answer() -> None:
    """What was not confirmed is neither called kept nor lost."""
    account = Account("apache", None, (_lag(9, 3),), closed=None, open=0, is_unsure=True)
    assert list(account_lines(account)) == [
        "kept      unknown: ClickHouse did not answer",
        "not read  examples 3 (still.sink); they wait in Kafka for the next start",
        "unsure    the sink left an insert that ClickHouse had not answered: its rows may land yet, none twice",
    ]
