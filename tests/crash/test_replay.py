"""Poison, repair, replay, with the real commands: whatever is killed in between, the repaired record lands once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas import codec
from schemas.records import Conversation, ConversationEvent, Outcome, Provenance, Score
from still.__main__ import main
from streams.produce import Producer, ProduceSettings
from tests.crash.commands import Place
from tests.streams.log import eventually, read, write

WITHIN_S = 60.0
EVENTS = "conversation.events"

Dlq = Callable[..., Any]


@pytest.fixture(name="dlq")
def _dlq(place: Place, capsys: pytest.CaptureFixture[str]) -> Dlq:
    """`still dlq ... --json`, its answer and, where another is expected, its exit status."""

    def call(*words: str, status: int = 0) -> Any:
        capsys.readouterr()
        assert main(["dlq", *words, "--json"]) == status, place.prefix
        return json.loads(capsys.readouterr().out)

    return call


def turn(number: int) -> ConversationEvent:
    """One of the two turns of contact-1."""
    role, text = (("user", "Where is my order 4711?"), ("assistant", "It left our house today."))[number]
    return ConversationEvent(
        f"e{number}", "contact-1", "turn", number, messages=[{"role": role, "content": text}], customer_id="Bob"
    )


def event_json(event: ConversationEvent, file: Path) -> str:
    """The event as a person would write it."""
    file.write_bytes(orjson.dumps(codec.to_json(event)))
    return str(file)


def resend(place: Place, topic: str) -> int:
    """What a second command that raced with the first would do: every replay of a topic once more, as it is."""
    producer = Producer(ProduceSettings(place.bootstrap_servers))
    again = [m for m in read(place.bootstrap_servers, place.prefix + topic) if dict(m.headers() or ()).get("replay-of")]
    for m in again:
        producer.send(m.topic(), m.key(), m.value(), m.headers(), m.partition()).result()
    producer.close()
    return len(again)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_repaired_event_lands_once_whatever_is_killed(place: Place, dlq: Dlq, tmp_path: Path) -> None:
    """Worker and sink die around two replays and a raced third; conversation, score and examples are there once."""
    broken = codec.encode(turn(0))[:40]
    close = ConversationEvent("e2", "contact-1", "closed", 2)
    events = [(b"contact-1", broken)] + [(b"contact-1", codec.encode(event)) for event in (turn(1), close)]
    write(place.bootstrap_servers, place.prefix + EVENTS, events)
    with place.running("worker"), place.running("sink"):
        eventually(lambda: place.count("dead_letters") == 1, WITHIN_S, "the letter")
    (letter,) = dlq("list")["letters"]
    assert (letter["stage"], letter["reason"], letter["attempt"]) == ("assemble", "undecodable", 0)
    id_ = letter["dead_letter_id"]
    repair = event_json(turn(0), tmp_path / "event.json")
    assert dlq("replay", id_[:12], "--value", repair, "--dry-run")["would_replay"] == 1
    assert dlq("replay", id_[:12], "--value", repair)["replayed"] == 1
    assert dlq("replay", id_[:12], "--value", repair) == dlq("replay", id_, "--value", repair)
    assert dlq("replay", id_)["replayed_before"] == 1
    with place.running("worker"), place.running("sink"):
        eventually(lambda: place.count("examples") > 0, WITHIN_S, "examples of the repaired conversation")
    assert resend(place, EVENTS) == 1
    with place.running("worker"), place.running("sink"):
        eventually(lambda: place.count(f"conversation_events WHERE _offset >= {len(events)}") == 1, WITHIN_S, "events")
        write(place.bootstrap_servers, place.prefix + EVENTS, [(b"contact-1", codec.encode(_after()))])
        eventually(lambda: place.count("newest_conversations WHERE revision = 2") == 1, WITHIN_S, "the last event")
        eventually(lambda: place.count("scores") == 2, WITHIN_S, "its score")
    (first, second) = place.rows("SELECT * FROM {db}.conversations ORDER BY revision")
    assert (first["src_offset"], first["attempt"], first["revision"]) == (letter["offset"], 1, 1)
    assert [m["content"] for m in json.loads(first["messages"])] == [
        turn(0).messages[0]["content"],
        "It left our house today.",
    ]
    assert (second["attempt"], second["src_offset"] > letter["offset"]) == (0, True)
    (found,) = place.rows("SELECT count() AS n, uniqExact(src_offset, src_index) AS places FROM {db}.examples")
    assert found["n"] == found["places"]
    assert place.count("dead_letters") == 1
    assert place.count(f"conversation_events WHERE replay_of = '{id_}'") == 1


def _after() -> ConversationEvent:
    return ConversationEvent("e9", "contact-1", "outcome", 3, outcome=Outcome(success=True))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_letters_of_every_stage_are_replayed(place: Place, dlq: Dlq, tmp_path: Path) -> None:
    """Distill's and the sink's letters land once after repair; what is sent back unrepaired is the next attempt."""
    root = Provenance("root", EVENTS, 0, 17)
    talk = Conversation(
        "c-9", 1, root, [{"role": "user", "content": "Where is my order?"}, {"role": "assistant", "content": "Here."}],
        "closed", 3, "test",
    )  # fmt: skip
    score = Score("c-10", 1, Provenance("root", EVENTS, 0, 18), "test", 0.5, {})
    write(place.bootstrap_servers, place.prefix + "conversations", [(b"c-9", codec.encode(talk)[:-9])])
    write(place.bootstrap_servers, place.prefix + "scores", [(b"c-10", b"junk")])
    write(place.bootstrap_servers, place.prefix + EVENTS, [(b"c-11", b"\x00\xff\xfe")])
    with place.running("worker"), place.running("sink") as sink:
        eventually(lambda: place.count("dead_letters") == 4, WITHIN_S, "four letters")
        by_stage = {(one["stage"], one["topic"]): one["dead_letter_id"] for one in dlq("list")["letters"]}
        assert set(by_stage) == {
            ("assemble", EVENTS), ("distill", "conversations"), ("sink", "conversations"), ("sink", "scores"),
        }  # fmt: skip
        for (_, topic), record in ((("distill", "conversations"), talk), (("sink", "scores"), score)):
            file = tmp_path / f"{topic}.json"
            file.write_bytes(orjson.dumps(codec.to_json(record)))
        whole = str(tmp_path / "conversations.json")
        assert dlq("replay", by_stage["distill", "conversations"], "--value", whole)["replayed"] == 1
        assert dlq("replay", by_stage["sink", "conversations"], "--value", whole)["replayed"] == 1
        scores = str(tmp_path / "scores.json")
        assert dlq("replay", by_stage["sink", "scores"], "--value", scores)["replayed"] == 1
        assert dlq("replay", "--stage", "assemble", "--reason", "undecodable")["replayed"] == 1
        sink.kill()
    assert resend(place, "conversations") == 2
    assert resend(place, "scores") == 1
    with place.running("worker"), place.running("sink"):
        eventually(lambda: place.count("dead_letters") == 5, WITHIN_S, "the next attempt's letter")
        eventually(lambda: place.count("scores") == 2, WITHIN_S, "both scores")
        eventually(lambda: place.count("conversations") == 1, WITHIN_S, "the conversation")
        write(place.bootstrap_servers, place.prefix + "scores", [(b"c-10", b"the last one")])
        eventually(lambda: place.count("dead_letters") == 6, WITHIN_S, "everything before it")
    assert place.count("scores") == 2
    assert place.count("conversations") == 1
    assert {row["attempt"] for row in place.rows("SELECT attempt FROM {db}.scores")} == {1}
    again = dlq("list", "--stage", "assemble")
    assert [one["attempt"] for one in again["letters"]] == [1, 0]
    shown = dlq("show", again["letters"][0]["dead_letter_id"])
    assert (shown["form"], shown["value"], shown["offset"]) == ("hex", "00fffe", again["letters"][1]["offset"])
    assert dlq("replay", "--stage", "assemble", "--dry-run")["would_replay"] == 1
