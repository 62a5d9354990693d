"""The shell around distill: provenance, repeats and poison."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas import codec
from schemas.records import Conversation, DeadLetter, Example, Provenance, Score
from streams.chunk import Chunk
from streams.dead_letters import Limits
from streams.errors import GapFound
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
