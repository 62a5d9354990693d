"""Letters are deterministic and complete; the ceiling stops a worker that refuses nearly everything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import codec
from schemas.records import DeadLetter
from streams.dead_letters import Ceiling, Limits, Source, attempt_of, dead_letter_of
from streams.errors import TooManyRejected
from streams.values import Arrived, Rejected

SOURCE = Source("cluster", "conversation.events", 2)
REJECTED = Rejected("assemble", "undecodable", "no header")


def test_a_letter_holds_the_record_whole_and_travels() -> None:
    """Bytes, key, headers and place survive; encoding and decoding gives the same letter."""
    arrived = Arrived(7, 5_000_000, b"key", b"\x00\xffbytes", {"h": b"v"})
    letter = dead_letter_of(arrived, SOURCE, REJECTED)
    assert (letter.key, letter.value, letter.headers) == (b"key", b"\x00\xffbytes", {"h": b"v"})
    assert (letter.topic, letter.partition, letter.offset, letter.failed_at) == ("conversation.events", 2, 7, 5_000_000)
    assert codec.decode(codec.encode(letter), DeadLetter) == letter


def test_the_id_depends_on_place_stage_and_attempt_only() -> None:
    """Refusing the same record again makes the same id; its replay makes another."""
    first = dead_letter_of(Arrived(7, 1, None, b"x"), SOURCE, REJECTED)
    again = dead_letter_of(Arrived(7, 2, None, b"x"), SOURCE, Rejected("assemble", "invalid", "other words"))
    replay = dead_letter_of(Arrived(7, 1, None, b"x", {"attempt": b"1"}), SOURCE, REJECTED)
    assert first.dead_letter_id == again.dead_letter_id != replay.dead_letter_id
    assert replay.attempt == 1


@pytest.mark.parametrize("text", [b"", b"-1", b"one", b"99999"])
def test_an_attempt_header_that_is_no_small_number_counts_as_none(text: bytes) -> None:
    """A publisher's own header of that name never breaks the stage."""
    assert attempt_of(Arrived(1, 1, None, None, {"attempt": text})) == 0


def test_a_run_of_refusals_stops() -> None:
    """As many refusals in a row as allowed raise, and the message names the log."""
    ceiling = Ceiling(Limits(ratio=1.0, window=10_000, run=100))
    ceiling.judge([True] * 99 + [False] + [True] * 99, SOURCE)
    with pytest.raises(TooManyRejected, match=r"conversation.events\[2\] refused the last 100 records"):
        ceiling.judge([True], SOURCE)


def test_a_high_share_of_refusals_stops_once_the_window_is_full() -> None:
    """Half of the window refused passes, one more raises."""
    ceiling = Ceiling(Limits(ratio=0.5, window=100, run=1000))
    ceiling.judge([True, False] * 50, SOURCE)
    with pytest.raises(TooManyRejected, match="51 of the last 100"):
        ceiling.judge([False, True, True, True], SOURCE)


@given(st.lists(st.booleans(), max_size=200))
def test_chunking_does_not_matter(refusals: list[bool]) -> None:
    """Judged at once or one by one, the verdict is the same."""
    limits = Limits(ratio=0.4, window=20, run=10)

    def stops(parts: list[list[bool]]) -> bool:
        ceiling = Ceiling(limits)
        try:
            for part in parts:
                ceiling.judge(part, SOURCE)
        except TooManyRejected:
            return True
        return False

    assert stops([refusals]) == stops([[refused] for refused in refusals])


@pytest.mark.parametrize("wrong", [{"ratio": 0.0}, {"ratio": 1.5}, {"window": 0}, {"run": 0}])
def test_limits_are_checked_at_birth(wrong: dict[str, float]) -> None:
    """A ceiling that can never be kept, or is none, is refused with its values."""
    with pytest.raises(ValueError, match="need 0 < ratio <= 1"):
        Limits(**wrong)  # type: ignore[arg-type]


@given(st.lists(st.one_of(st.integers(1, 30), st.lists(st.booleans(), min_size=1, max_size=15)), max_size=20))
def test_letting_pass_is_judging_that_none_was_refused(chunks: list[int | list[bool]]) -> None:
    """The short way for chunks without a refusal stops exactly where judging each record stops."""
    limits = Limits(ratio=0.4, window=20, run=10)

    def stops(*, shortly: bool) -> bool:
        ceiling = Ceiling(limits)
        try:
            for chunk in chunks:
                if isinstance(chunk, list):
                    ceiling.judge(chunk, SOURCE)
                elif shortly:
                    ceiling.let_pass(chunk, SOURCE)
                else:
                    ceiling.judge([False] * chunk, SOURCE)
        except TooManyRejected:
            return True
        return False

    assert stops(shortly=True) == stops(shortly=False)
