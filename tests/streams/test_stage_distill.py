"""The shell around distill: provenance, repeats and poison."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas import codec
from schemas.ceiling import Limits
from schemas.letters import Position, Taken, letter_of, replay_headers
from schemas.records import Conversation, DeadLetter, Example, Provenance, Score
from streams.chunk import Chunk
from streams.errors import GapFound, TooManyRejected
from streams.settings import DistillSettings
from streams.stage_distill import DistillStage
from streams.values import Arrived
from tests.streams.recorded_log import CLUSTER, RecordedLog


def conversation(root: int, previous: int | None = None) -> Conversation:
    """A contact that assemble emitted for the event at offset `root`."""
    return Conversation(
        conversation_id=f"c{root}",
        revision=1,
        provenance=Provenance(CLUSTER, "conversation.events", 2, root, 0, previous),
        messages=[{"role": "user", "content": "Where is my order?"}, {"role": "assistant", "content": "On its way."}],
        closed_by="closed",
        events=3,
        redactor="test",
    )


def chunk(*values: bytes | None) -> Chunk:
    """A chunk of partition 2."""
    return Chunk("conversations", 2, tuple(Arrived(n, n, b"k", value) for n, value in enumerate(values)), 1)


def stage_on(log: RecordedLog) -> DistillStage:
    """A fresh stage."""
    return DistillStage(log.log(), DistillSettings(), Limits())


def test_score_and_examples_carry_the_root_and_keep_the_partition() -> None:
    """Whatever a conversation yields names the event that closed it, and goes to its partition number."""
    log = RecordedLog()
    stage_on(log).settle(chunk(codec.encode(conversation(5)), codec.encode(conversation(9, 5))))
    scores, examples = log.of("scores", Score), log.of("examples", Example)
    assert [(s.provenance.offset, s.provenance.previous_offset) for s in scores] == [(5, None), (9, 5)]
    assert {e.provenance.offset for e in examples} == {5, 9}
    assert {out.partition for out in log.records} == {2}


def test_a_conversation_written_again_yields_nothing_again() -> None:
    """What a crashed assemble repeats is recognised, in the same chunk or a later one."""
    log = RecordedLog()
    stage = stage_on(log)
    first, second = codec.encode(conversation(5)), codec.encode(conversation(9, 5))
    stage.settle(chunk(first, second, first))
    stage.settle(chunk(second))
    assert [s.conversation_id for s in log.of("scores", Score)] == ["c5", "c9"]


def test_a_hole_stops_the_stage() -> None:
    """A conversation whose predecessor never came raises, and nothing of the chunk is written."""
    log = RecordedLog()
    with pytest.raises(GapFound):
        stage_on(log).settle(chunk(codec.encode(conversation(5)), codec.encode(conversation(12, 9))))
    assert log.records == []


def test_poison_becomes_a_letter() -> None:
    """No value, no header, an unknown schema and a score among the conversations: each is refused by its reason."""
    log = RecordedLog()
    score = replace(conversation(1).provenance, index=0)
    wrong = codec.encode(Score("c", 1, score, "s", None, {}))
    stage_on(log).settle(chunk(None, b"junk", b"\x00\x00\x01\x86\x9f", wrong, codec.encode(conversation(7))))
    letters = log.of("dead.letters", DeadLetter)
    assert [letter.reason for letter in letters] == ["no_value", "undecodable", "unknown_schema", "undecodable"]
    assert len(log.of("scores", Score)) == 1


def replayed(root: int, offset: int, stage: str = "distill") -> Arrived:
    """A conversation that comes again out of the dead letters."""
    place = Position(CLUSTER, "conversations", 2, 1)
    letter = letter_of(Taken(place, 1, b"k", b"?", {}), stage, "unknown_schema", "")
    return Arrived(offset, offset, b"k", codec.encode(conversation(root)), replay_headers(letter))


def test_a_replay_passes_the_mark_and_leaves_it() -> None:
    """It yields records of its root with the attempt raised; what follows is neither a repeat nor a hole."""
    log = RecordedLog()
    stage = stage_on(log)
    stage.settle(chunk(codec.encode(conversation(5)), codec.encode(conversation(9, 5))))
    stage.settle(Chunk("conversations", 2, (replayed(7, 20),), 1))
    stage.settle(chunk(codec.encode(conversation(12, 9))))
    found = [(s.provenance.offset, s.provenance.attempt, s.provenance.previous_offset) for s in log.of("scores", Score)]
    assert found == [(5, 0, None), (9, 0, 5), (7, 1, 9), (12, 0, 9)]
    assert {e.provenance.attempt for e in log.of("examples", Example) if e.provenance.offset == 7} == {1}


def test_a_replay_for_another_stage_yields_nothing() -> None:
    """Distill has had this conversation already."""
    log = RecordedLog()
    stage_on(log).settle(Chunk("conversations", 2, (replayed(7, 20, "sink"),), 1))
    assert log.records == []


def test_replays_that_fail_again_never_stop_the_stage() -> None:
    """A repair that did not help makes letters of the next attempt; only what is new counts for the ceiling."""
    log = RecordedLog()
    stage = DistillStage(log.log(), DistillSettings(), Limits(run=3))
    stage.settle(Chunk("conversations", 2, tuple(replayed(7, n)._replace(value=b"?") for n in range(10)), 1))
    assert {letter.attempt for letter in log.of("dead.letters", DeadLetter)} == {1}
    with pytest.raises(TooManyRejected):
        stage.settle(chunk(b"?", b"?", b"?"))
