"""What goes back to a topic, under which key, to which partition, and what a repaired value may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from schemas import codec
from schemas.errors import InvalidRecord, SchemaError, Undecodable
from schemas.letters import MAX_BYTES, Position, Taken, letter_of, replay_of
from schemas.records import ConversationEvent, DeadLetter, Provenance, Score
from still.embedded.stack import Stack
from streams.errors import ImportFault
from streams.list_letters import Wanted, find_letters
from streams.partition import partition_of
from streams.produce import Message, Producer, ProduceSettings
from streams.read_log import LogReader
from streams.replay_letters import outgoing, repaired, replay, replayed

PARTITIONS = 4
EVENT = ConversationEvent("e1", "contact-1", "closed")
JSON = {"content-type": b"application/json"}


def letter(
    value: bytes | None,
    key: bytes = b"contact-1",
    topic: str = "conversation.events",
    headers: Mapping[str, bytes] | None = None,
) -> DeadLetter:
    """A letter of a record in partition 2."""
    return letter_of(Taken(Position("k", topic, 2, 7), 1, key, value, headers or {}), "assemble", "undecodable", "")


def sent(of: DeadLetter, value: bytes | None = None) -> Message:
    """What goes out for it."""
    out = outgoing(of, "pre.", PARTITIONS, value)
    assert isinstance(out, Message)
    return out


@pytest.mark.parametrize("value", [None, b"", b"\x00\xff", codec.encode(EVENT)])
def test_the_bytes_go_back_unchanged_to_their_partition(value: bytes | None) -> None:
    """Topic with prefix, key, value, partition and headers, with those of the replay beside them."""
    out = sent(letter(value, headers={"mine": b"own"}))
    assert (out.topic, out.key, out.value, out.partition) == ("pre.conversation.events", b"contact-1", value, 2)
    headers = dict(out.headers)
    assert headers["mine"] == b"own"
    replay = replay_of(headers)
    assert replay is not None
    assert replay.origin == Position("k", "conversation.events", 2, 7, 1)


def test_a_wrong_key_is_mended_and_meets_its_conversation() -> None:
    """The event goes under its own conversation's key, to the partition where its other events are."""
    out = sent(letter(codec.encode(EVENT), key=b"another"))
    assert (out.key, out.partition) == (b"contact-1", partition_of(b"contact-1", PARTITIONS))


def test_a_repaired_value_sheds_the_old_content_type() -> None:
    """What was broken JSON goes back in wire format, and must be read as such."""
    value = repaired(
        letter(b"{broken", headers=JSON), "f.json", orjson.dumps({"conversation_id": "contact-1", "kind": "closed"})
    )
    out = sent(letter(b"{broken", headers=JSON), value)
    assert "content-type" not in dict(out.headers)
    assert codec.decode_event(value).conversation_id == "contact-1"
    assert codec.decode_event(value).event_id


def test_a_repair_may_be_json_or_wire_format_of_the_topics_record() -> None:
    """A score goes to scores, whichever way it is written."""
    score = Score("c", 1, Provenance("k", "conversation.events", 0, 3), "s", 0.5, {})
    of = letter(b"?", topic="scores")
    assert repaired(of, "f", codec.encode(score)) == codec.encode(score)
    assert codec.decode(repaired(of, "f", orjson.dumps(codec.to_json(score))), Score) == score


@pytest.mark.parametrize(
    ("data", "error", "said"),
    [
        (b"{broken", ImportFault, "f:1: is no JSON"),
        (b"", ImportFault, "is empty"),
        (b"[1]", ImportFault, "not an object"),
        (b"\xff\xfe", ImportFault, "f:1: is no UTF-8 text"),
        (b'{"conversation_id": "c", "kind": "dance"}', ImportFault, "kind='dance'"),
        (b'{"kind": "closed"}', ImportFault, "lacks conversation_id"),
        (b"\x00\x00", Undecodable, "header"),
        (codec.encode(Score("c", 1, Provenance("k", "t", 0, 3), "s", 0.5, {})), Undecodable, "hold a Score"),
        (codec.encode(ConversationEvent("", "c", "closed")), InvalidRecord, "event_id is empty"),
    ],
)
def test_a_repair_that_would_fail_again_is_refused(
    data: bytes, error: type[SchemaError | ImportFault], said: str
) -> None:
    """Before anything is sent, with the file and what is wrong."""
    with pytest.raises(error, match=said):
        repaired(letter(b"?"), "f", data)


def test_a_cut_letter_wants_the_record() -> None:
    """The beginning of a record is never sent for the whole."""
    of = letter(b"x" * (MAX_BYTES + 1))
    assert "give the record with --value" in str(outgoing(of, "", PARTITIONS))
    assert sent(of, codec.encode(EVENT)).value == codec.encode(EVENT)


def test_a_letter_that_names_a_strange_topic_stops_no_other(stack: Stack, topics: str) -> None:
    """Anybody may write a letter, or a header without a value; those beside it go back all the same."""
    letters = [letter(codec.encode(EVENT), topic=topic) for topic in ("no.topic", "conversation.events")]
    producer = Producer(ProduceSettings(stack.bootstrap_servers))
    for one in letters:
        producer.send(f"{topics}dead.letters", b"key", codec.encode(one)).result(30)
    null: Any = None
    producer.send(f"{topics}conversation.events", b"key", codec.encode(EVENT), [("replay-of", null)]).result(30)
    with LogReader(stack.bootstrap_servers) as reader:
        found = find_letters(reader, topics, Wanted())
        assert replayed(reader, topics, found) == set()
        told = {one.letter: one for one in replay(reader, producer, topics, found)}
    producer.close()
    strange, own = (told[one.dead_letter_id] for one in letters)
    assert (strange.delivered, strange.fault) == (None, "the letter names topic 'no.topic', which is none of ours")
    assert own.delivered is not None
    assert own.delivered.topic == f"{topics}conversation.events"
