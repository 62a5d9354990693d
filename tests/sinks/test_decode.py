"""Each record becomes the row of its table; of raw events nothing but the envelope passes."""

import pytest

from schemas.letters import Position, Taken, letter_of, replay_headers
from schemas.records import ConversationEvent, DeadLetter
from sinks.decode import decoders
from sinks.tables import table, tables
from sinks.values import Mark, Partition, Refused, Row, Source
from tests.sinks.made import CLUSTER, arrived, example

DECODE = decoders(b"key")
EVENTS = Partition(CLUSTER, "conversation.events", 0)
LETTERS = Partition(CLUSTER, "dead.letters", 0)


def _named(name: str, row: Row | Refused) -> dict[str, object]:
    assert isinstance(row, Row)
    return dict(zip(table(name).names, row.values, strict=False))


def test_an_example_keeps_its_fields_and_provenance() -> None:
    """Fields land under their own names, JSON as text, and the source's place becomes the mark."""
    row = DECODE["examples"](arrived(example(7, index=2), 0))
    assert isinstance(row, Row)
    named = _named("examples", row)
    assert (named["label"], named["target"], named["src_offset"]) == ("order_status", '"order_status"', 7)
    assert (row.source, row.mark) == (Source("root-1", "conversation.events", 0), Mark(7, 2))
    assert row.key is None


def test_a_replayed_example_carries_its_key() -> None:
    """Attempt > 0 asks the table for the exact source place."""
    row = DECODE["examples"](arrived(example(7, attempt=1), 0))
    assert isinstance(row, Row)
    assert row.key == ("root-1", "conversation.events", 0, 7, 0)


def test_an_event_gives_only_its_envelope() -> None:
    """Neither the message text nor the customer's id reaches a row; digest, size and keyed hash do."""
    event = ConversationEvent("e-1", "c-1", "turn", customer_id="Bob", messages=[{"role": "user", "content": "secret"}])
    row = DECODE["conversation.events"](arrived(event, 0, EVENTS))
    named = _named("conversation_events", row)
    assert "secret" not in str(row)
    assert "Bob" not in str(row)
    assert str(named["customer_hash"]).startswith("c-")
    assert (named["messages"], named["refused"]) == (1, None)


def test_bytes_that_are_no_event_keep_their_place() -> None:
    """Assemble writes the dead letter; the row says why there is no envelope."""
    named = _named("conversation_events", DECODE["conversation.events"](arrived(b"\0\0\0\0\1", 0, EVENTS)))
    assert (named["refused"], named["event_id"], named["value_bytes"]) == ("unknown_schema", None, 5)


def test_a_time_that_the_table_would_show_wrongly_makes_no_envelope() -> None:
    """Nanoseconds on the topic itself: the place is kept, the time is not; assemble writes the dead letter."""
    event = ConversationEvent("e-1", "c-1", "closed", occurred_at=1_790_000_000 * 10**9)
    named = _named("conversation_events", DECODE["conversation.events"](arrived(event, 0, EVENTS)))
    assert (named["occurred_at"], named["event_id"], named["refused"]) == (None, None, "undecodable")


def test_a_dead_letter_gives_no_bytes() -> None:
    """Original bytes and the words of the refusal stay in the topic."""
    letter = DeadLetter(
        "d-1", "assemble", "undecodable", "said Bob", CLUSTER, "conversation.events", 0, 3, b"k", b"Bob", 5
    )
    row = DECODE["dead.letters"](arrived(letter, 0, LETTERS))
    assert isinstance(row, Row)
    assert "Bob" not in str(row)
    assert row.key == ("d-1",)


@pytest.mark.parametrize("data", [b"", b"junk", b"\0\0\0\0\x69", b"\0\0\0\0\x69" + b"\xff" * 40, b"\0\0\0\0\x65"])
def test_undecodable_bytes_are_refused_with_a_reason(data: bytes) -> None:
    """Anything that is no example becomes a value that says why."""
    refused = DECODE["examples"](arrived(data, 0))
    assert isinstance(refused, Refused)
    assert refused.reason in ("undecodable", "unknown_schema")
    assert refused.detail


def test_every_table_has_a_decoder() -> None:
    """No topic of the catalog that has a table is left without one."""
    assert set(DECODE) == {t.topic for t in tables()}


def test_a_replay_is_judged_by_its_key_whatever_it_says_itself() -> None:
    """A record from before its replay says attempt 0; the headers know better."""
    letter = letter_of(Taken(Position(CLUSTER, "examples", 0, 3), 1, b"key", b"?", {}), "sink", "rejected", "")
    row = DECODE["examples"](arrived(example(7), 9)._replace(headers=replay_headers(letter)))
    assert isinstance(row, Row)
    assert (row.attempt, row.key) == (1, ("root-1", "conversation.events", 0, 7, 0))
    assert _named("examples", row)["attempt"] == 1


def test_a_replayed_event_is_told_by_its_letter() -> None:
    """Its row names the letter and is keyed by it; an event published directly has neither."""
    event = ConversationEvent("e-1", "c-1", "closed")
    letter = letter_of(Taken(Position(CLUSTER, EVENTS.topic, 0, 3), 1, b"key", b"?", {}), "assemble", "undecodable", "")
    replayed = DECODE[EVENTS.topic](arrived(event, 9, EVENTS)._replace(headers=replay_headers(letter)))
    direct = DECODE[EVENTS.topic](arrived(event, 9, EVENTS))
    assert isinstance(replayed, Row)
    assert isinstance(direct, Row)
    assert (replayed.key, _named("conversation_events", replayed)["replay_of"]) == (
        (letter.dead_letter_id,),
        letter.dead_letter_id,
    )
    assert (direct.key, _named("conversation_events", direct)["replay_of"]) == (None, None)


def test_a_record_over_which_decoding_raises_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would end the sink at every start; the refusal quotes nothing of it."""

    def faulty(_: bytes, record: str) -> dict[str, object]:
        raise LookupError(f"{record} of Bob")

    monkeypatch.setattr("schemas.codec.decode_datum", faulty)
    refused = DECODE["examples"](arrived(example(7), 0))
    assert isinstance(refused, Refused)
    assert (refused.reason, "Bob" in refused.detail) == ("failed", False)
