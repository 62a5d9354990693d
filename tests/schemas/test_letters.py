"""A letter holds its record whole, and a replay keeps where the record first lay."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import codec
from schemas.letters import (
    ATTEMPT,
    LETTER,
    MAX_BYTES,
    Position,
    Taken,
    attempt_of,
    digest_of,
    is_cut,
    is_for_another,
    letter_of,
    replay_headers,
    replay_of,
)
from schemas.records import DeadLetter

AT = Position("cluster", "conversation.events", 2, 7)
FIRST = letter_of(Taken(AT, 5, b"key", b"\x00\xffbytes", {"h": b"v"}), "assemble", "undecodable", "no header")


def replayed(letter: DeadLetter, offset: int) -> Taken:
    """The letter's record as the stage gets it again, behind everything else."""
    return Taken(AT._replace(offset=offset), 9, letter.key, letter.value, replay_headers(letter))


def test_a_letter_holds_the_record_whole_and_travels() -> None:
    """Bytes, key, headers and place survive; encoding and decoding gives the same letter."""
    assert (FIRST.key, FIRST.value, FIRST.headers) == (b"key", b"\x00\xffbytes", {"h": b"v"})
    assert (FIRST.topic, FIRST.partition, FIRST.offset, FIRST.failed_at) == ("conversation.events", 2, 7, 5)
    assert codec.decode(codec.encode(FIRST), DeadLetter) == FIRST


def test_the_id_depends_on_place_stage_and_attempt_only() -> None:
    """Refusing the same record again, with other words, makes the same id; another stage makes another."""
    again = letter_of(Taken(AT, 6, None, b"x", {}), "assemble", "invalid", "other words")
    assert again.dead_letter_id == FIRST.dead_letter_id
    assert letter_of(Taken(AT, 6, None, b"x", {}), "sink", "invalid", "").dead_letter_id != FIRST.dead_letter_id


def test_a_replay_that_fails_again_is_the_next_attempt_of_the_first_position() -> None:
    """However often it is replayed and wherever it lies then: first position, first headers, attempt plus one."""
    letter = FIRST
    for attempt in range(1, 4):
        letter = letter_of(replayed(letter, 100 * attempt), "assemble", "undecodable", "still none")
        assert (letter.topic, letter.partition, letter.offset, letter.attempt) == (AT.topic, 2, 7, attempt)
        assert letter.headers == {"h": b"v"}
        twice = letter_of(replayed(letter, 999), "assemble", "", "")
        assert twice.dead_letter_id == letter_of(replayed(letter, 5), "assemble", "", "").dead_letter_id


@given(st.dictionaries(st.text(max_size=5), st.binary(max_size=20)), st.integers(0, 2**31 - 1), st.integers(0, 2**62))
def test_headers_tell_the_replay_back(headers: dict[str, bytes], partition: int, offset: int) -> None:
    """What the command writes is what a stage reads, whatever headers the record had itself."""
    letter = letter_of(Taken(Position("c", "t", partition, offset), 1, None, b"", headers), "sink", "rejected", "")
    replay = replay_of(replay_headers(letter))
    assert replay is not None
    assert (replay.letter, replay.stage, replay.origin) == (
        letter.dead_letter_id,
        "sink",
        Position("c", "t", partition, offset, 1),
    )


def test_a_replay_is_for_the_stage_that_refused() -> None:
    """The others have had the record already; what is published directly is for everybody."""
    assert not is_for_another(replay_headers(FIRST), "assemble")
    assert is_for_another(replay_headers(FIRST), "distill")
    assert not is_for_another({"h": b"v"}, "distill")


@pytest.mark.parametrize("text", [b"", b"-1", b"one", b"9" * 30, b"0", b"\xff"])
def test_headers_that_are_no_replay_of_ours_count_as_none(text: bytes) -> None:
    """A publisher's own headers of these names never break a stage."""
    assert attempt_of({ATTEMPT: text}) == 0
    assert attempt_of({**replay_headers(FIRST), ATTEMPT: text}) == 0
    assert replay_of({LETTER: text}) is None


def test_what_no_letter_holds_is_cut_with_its_size_and_digest() -> None:
    """A letter always fits its topic; the beginning stays, and says honestly how much there was."""
    value = b"x" * (MAX_BYTES + 1)
    letter = letter_of(
        Taken(AT, 5, b"key", value, {"h": b"v", "huge": b"h" * 10_000}), "assemble", "too_large", "d" * 9_999
    )
    assert is_cut(letter)
    assert digest_of(letter) == (hashlib.sha256(value).hexdigest(), len(value))
    assert len(codec.encode(letter)) < 20_000
    assert letter.headers["h"] == b"v"
    whole = letter_of(Taken(AT, 5, b"key", value[:-100], {}), "assemble", "too_large", "")
    assert (whole.value, is_cut(whole)) == (value[:-100], False)
    assert len(codec.encode(whole)) < 16_000_000


@pytest.mark.parametrize("value", [b"x", None])
@pytest.mark.parametrize(
    ("key", "headers"),
    [
        (b"k" * (MAX_BYTES // 2 + 1), {}),
        (b"k", {str(n): b"h" * 1000 for n in range(MAX_BYTES // 1000 + 1)}),
        (b"k", {"h" * (MAX_BYTES + 1): b""}),
    ],
    ids=["key", "many headers", "a header's name"],
)
def test_whatever_is_huge_a_letter_fits_under_its_key(
    key: bytes, headers: dict[str, bytes], value: bytes | None
) -> None:
    """Compressed, a record of many megabytes passes a topic's limit: its letter must not end a stage for good."""
    letter = letter_of(Taken(AT, 5, key, value, headers), "assemble", "wrong_key", "")
    assert len(codec.encode(letter)) + len(letter.key or b"") < MAX_BYTES
    assert digest_of(letter) == (value and hashlib.sha256(value).hexdigest(), len(value or b""))


def test_what_a_publisher_names_like_our_headers_changes_no_letter() -> None:
    """A record that carries the marks of a cut, or an origin that no partition has, is taken for what it is."""
    marks = {"still-cut-bytes": b"9" * 5000, "still-cut-sha256": b"none", "h": b"v"}
    letter = letter_of(Taken(AT, 5, b"key", b"value", marks), "assemble", "undecodable", "")
    assert (letter.headers, is_cut(letter)) == ({"h": b"v"}, False)
    assert digest_of(letter) == (hashlib.sha256(b"value").hexdigest(), 5)
    by_others = replace(letter, headers=marks)
    assert (is_cut(by_others), digest_of(by_others)) == (False, digest_of(letter))
    assert replay_of(replay_headers(letter) | {"origin-partition": b"%d" % 2**31}) is None
