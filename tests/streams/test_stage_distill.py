"""The shell around distill: provenance, repeats and poison."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas import codec
from schemas.ceiling import Limits
from schemas.letters import Position, Taken, letter_of, replay_headers
from schemas.records import Conversation, DeadLetter, Example, Provenance, Score
from streams.chunk import Chunk
from streams.distill import distill
from streams.errors import GapFound, TooManyRejected
from streams.settings import DistillSettings
from streams.stage_distill import DistillStage
from streams.values import Arrived, Distilled
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


def stage_on(
    log: RecordedLog, before: tuple[Arrived, ...] = (), accepted: str | None = None, limits: Limits | None = None
) -> DistillStage:
    """A fresh stage on a topic that holds these conversations, the oldest first."""
    settings = DistillSettings(accepted_gaps=frozenset() if accepted is None else frozenset({accepted}))

    def back(partition: int, end: int) -> list[Arrived]:
        assert partition == 2
        return [arrived for arrived in reversed(before) if arrived.offset < end]

    return DistillStage(log.log(), back, settings, limits or Limits())


def behind_a_hole() -> tuple[Arrived, ...]:
    """Conversations at offsets 0 and 1 of which the second one's predecessor is missing."""
    return chunk(codec.encode(conversation(5)), codec.encode(conversation(12, 9))).arrived


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


def test_a_hole_stops_every_restart() -> None:
    """The supervisor starts the worker again at the record behind the hole: it alarms again, and writes nothing."""
    log, arrived = RecordedLog(), behind_a_hole()
    for _ in range(3):
        with pytest.raises(GapFound, match=r"conversation.events\[2\] offset 12 follows offset 9, but 5 is the last"):
            stage_on(log, arrived).settle(Chunk("conversations", 2, arrived[1:], 1))
    assert log.records == []


def test_a_person_takes_the_record_behind_a_hole() -> None:
    """Named as the alarm does it is distilled; another one that is named changes nothing; the next start needs none."""
    log, arrived = RecordedLog(), behind_a_hole()
    with pytest.raises(GapFound, match=r"STILL_ACCEPT_GAP='conversation.events\[2\]@12'"):
        stage_on(log, arrived, "conversation.events[2]@11").settle(Chunk("conversations", 2, arrived[1:], 1))
    stage_on(log, arrived, "conversation.events[2]@12").settle(Chunk("conversations", 2, arrived[1:], 1))
    later = Arrived(2, 2, b"k", codec.encode(conversation(20, 12)))
    stage_on(log, (*arrived, later)).settle(Chunk("conversations", 2, (later,), 1))
    assert [s.conversation_id for s in log.of("scores", Score)] == ["c12", "c20"]


@pytest.mark.parametrize("attempt", [0, 1])
def test_a_person_takes_one_hole_and_no_other(attempt: int) -> None:
    """The record that was named comes again, as a repeat or out of the dead letters: the next hole is still told."""
    log, arrived = RecordedLog(), behind_a_hole()
    again = replayed(12, 2) if attempt else arrived[1]._replace(offset=2)
    stage = stage_on(log, accepted="conversation.events[2]@12")
    stage.settle(Chunk("conversations", 2, (*arrived, again), 1))
    with pytest.raises(GapFound, match="offset 20 follows offset 15"):
        stage.settle(Chunk("conversations", 2, (Arrived(3, 3, b"k", codec.encode(conversation(20, 15))),), 1))


def test_poison_among_conversations_is_no_hole() -> None:
    """The conversation that cannot be read is a letter, and its successor is distilled; so also behind a restart."""
    log = RecordedLog()
    whole = chunk(codec.encode(conversation(5)), b"junk", codec.encode(conversation(12, 9)))
    stage_on(log).settle(whole)
    assert len(log.of("dead.letters", DeadLetter)) == 1
    stage_on(log, whole.arrived).settle(Chunk("conversations", 2, whole.arrived[2:], 1))
    assert [s.conversation_id for s in log.of("scores", Score)] == ["c5", "c12", "c12"]


def test_a_replay_before_the_start_stands_for_no_predecessor() -> None:
    """Whether it can be read or not, and whichever stage it is for: the hole is still one."""
    arrived = behind_a_hole()
    last = arrived[1]._replace(offset=9)
    unread = replayed(7, 3)._replace(value=b"?")
    with pytest.raises(GapFound):
        stage_on(RecordedLog(), (arrived[0], replayed(9, 1), replayed(9, 2, "sink"), unread)).settle(
            Chunk("conversations", 2, (last,), 1)
        )


@pytest.mark.parametrize("place", ["", "conversations", "conversation.events[0]", "conversation.events@3"])
def test_a_gap_is_named_or_refused(place: str) -> None:
    """A gap that no alarm can have named is refused at birth, with an example."""
    with pytest.raises(ValueError, match="names no record"):
        DistillSettings(accepted_gaps=frozenset({place}))


def test_poison_becomes_a_letter() -> None:
    """No value, no header, an unknown schema and a score among the conversations: each is refused by its reason."""
    log = RecordedLog()
    score = replace(conversation(1).provenance, index=0)
    wrong = codec.encode(Score("c", 1, score, "s", None, {}))
    stage_on(log).settle(chunk(None, b"junk", b"\x00\x00\x01\x86\x9f", wrong, codec.encode(conversation(7))))
    letters = log.of("dead.letters", DeadLetter)
    assert [letter.reason for letter in letters] == ["no_value", "undecodable", "unknown_schema", "undecodable"]
    assert len(log.of("scores", Score)) == 1


def test_a_conversation_over_which_a_step_raises_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a letter that quotes nothing, and no hole; by a version that can, the letter's replay is distilled."""
    log = RecordedLog()
    whole = chunk(*(codec.encode(conversation(root, previous)) for root, previous in ((5, None), (9, 5), (12, 9))))
    stage = stage_on(log)
    with monkeypatch.context() as broken:
        broken.setattr("streams.stage_distill.distill", _faulty)
        stage.settle(whole)
    (letter,) = log.of("dead.letters", DeadLetter)
    assert (letter.offset, letter.stage, letter.reason) == (1, "distill", "failed")
    assert "order" not in letter.detail
    replay = Arrived(20, 20, letter.key, letter.value, replay_headers(letter))
    stage.settle(Chunk("conversations", 2, (replay,), 1))
    found = [(s.provenance.offset, s.provenance.attempt, s.provenance.previous_offset) for s in log.of("scores", Score)]
    assert found == [(5, 0, None), (12, 0, 5), (9, 1, 12)]


def _faulty(conversation: Conversation, settings: DistillSettings, previous: int | None) -> Distilled:
    """Distilling by a version that fails over one conversation, and quotes it."""
    if conversation.conversation_id == "c9":
        raise LookupError(conversation.messages)
    return distill(conversation, settings, previous)


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
    stage = stage_on(log, limits=Limits(run=3))
    stage.settle(Chunk("conversations", 2, tuple(replayed(7, n)._replace(value=b"?") for n in range(10)), 1))
    assert {letter.attempt for letter in log.of("dead.letters", DeadLetter)} == {1}
    with pytest.raises(TooManyRejected):
        stage.settle(chunk(b"?", b"?", b"?"))
