"""The shell around assemble: order of effects, and no loss wherever a confirmation fails."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import codec
from schemas.ceiling import Limits
from schemas.letters import replay_headers
from schemas.records import AssemblyState, Conversation, ConversationEvent, DeadLetter
from streams.chunk import Chunk
from streams.errors import BrokerUnavailable, LogWentBack, TooManyRejected
from streams.monotone import Monotone
from streams.redact import redact
from streams.settings import AssembleSettings, RedactSettings
from streams.stage_assemble import AssembleStage
from streams.values import Arrived, Draft
from tests.streams.recorded_log import CLUSTER, RecordedLog

KEY = RedactSettings(b"a key of tests, 32 bytes long...")
SECOND = 1_000_000


def stage_on(log: RecordedLog, limits: Limits | None = None) -> AssembleStage:
    """A fresh stage of partition 0."""
    stage = AssembleStage(log.log(), log.states, AssembleSettings(inactivity_us=10 * SECOND), KEY, limits or Limits())
    stage.assign([0])
    return stage


def arrived(offset: int, event: ConversationEvent) -> Arrived:
    """An event as consumed, one a second."""
    return Arrived(offset, offset * SECOND, event.conversation_id.encode(), codec.encode(event))


def turn(id_: str, number: int) -> ConversationEvent:
    """A customer's turn."""
    return ConversationEvent(
        f"{id_}-{number}", id_, "turn", sequence=number, messages=[{"role": "user", "content": f"words {number}"}]
    )


def close(id_: str, number: int) -> ConversationEvent:
    """The end of a contact after `number` turns."""
    return ConversationEvent(f"{id_}-end", id_, "closed", sequence=number)


def chunk(*records: Arrived) -> Chunk:
    """A chunk of partition 0."""
    return Chunk("conversation.events", 0, records, 1)


def test_conversations_and_letters_are_confirmed_before_state_and_mark() -> None:
    """What says "emitted" or "refused" is never written before what it speaks of; the mark comes last."""
    log = RecordedLog()
    bad = Arrived(1, SECOND, b"a", b"garbage")
    stage_on(log).settle(chunk(arrived(0, turn("a", 0)), bad, arrived(2, close("a", 1)), bad._replace(offset=3)))
    topics = ["conversations", "dead.letters", "dead.letters", "assembly.state", "assembly.state"]
    assert [out.topic for out in log.records] == topics
    assert [state.offset for state in log.of("assembly.state", AssemblyState)] == [2, 3]
    (conversation,) = log.of("conversations", Conversation)
    assert (conversation.provenance.cluster_id, conversation.provenance.offset) == (CLUSTER, 2)


def test_state_is_coalesced_per_chunk() -> None:
    """Many events of one conversation in a chunk write its state once, the last one."""
    log = RecordedLog()
    stage_on(log).settle(chunk(*(arrived(number, turn("a", number)) for number in range(20))))
    state, _mark = log.of("assembly.state", AssemblyState)
    assert (state.offset, len(state.events)) == (19, 20)


def test_a_refused_record_leaves_a_letter_and_harms_no_other() -> None:
    """Poison beside good events of the same chunk goes to the dead letters alone."""
    log = RecordedLog()
    bad = Arrived(1, SECOND, b"a", b"\x00garbage")
    stage_on(log).settle(chunk(arrived(0, turn("a", 0)), bad, arrived(2, close("a", 1))))
    (letter,) = log.of("dead.letters", DeadLetter)
    assert (letter.offset, letter.value, letter.stage) == (1, b"\x00garbage", "assemble")
    assert len(log.of("conversations", Conversation)) == 1


@pytest.mark.parametrize("restarts", [True, False])
def test_a_conversation_that_cannot_be_redacted_stops_no_other(monkeypatch: pytest.MonkeyPatch, restarts: bool) -> None:
    """Its last event is a letter and counts for nothing; by a version that can, the letter's replay completes it."""
    log = RecordedLog()
    stage = stage_on(log)
    both = [arrived(offset, event) for offset, event in enumerate((turn("a", 0), close("a", 1), turn("b", 0)))]
    with monkeypatch.context() as broken:
        broken.setattr("streams.stage_assemble.redact", _faulty)
        stage.settle(chunk(*both, arrived(3, close("b", 1))))
    (letter,) = log.of("dead.letters", DeadLetter)
    assert (letter.offset, letter.stage, letter.reason) == (1, "assemble", "failed")
    assert "where is" not in letter.detail
    assert [one.provenance.offset for one in log.of("conversations", Conversation)] == [3]
    stage = stage_on(log) if restarts else stage
    replay = Arrived(9, 9 * SECOND, letter.key, letter.value, replay_headers(letter))
    stage.settle(chunk(*(both if restarts else ()), replay))
    first, last = log.of("conversations", Conversation)
    assert (first.provenance.previous_offset, last.provenance.offset, last.provenance.attempt) == (None, 1, 1)
    assert (last.closed_by, len(last.messages), last.revision) == ("closed", 1, 1)
    assert len(log.of("dead.letters", DeadLetter)) == 1


def _faulty(draft: Draft, how: RedactSettings) -> Conversation:
    """Redaction by a version that fails over one conversation, and quotes it."""
    if draft.conversation_id == "a":
        raise ValueError(f"where is {draft.messages}")
    return redact(draft, how)


def test_above_the_ceiling_nothing_of_the_chunk_is_written() -> None:
    """A stage that refuses everything stops before it drains the log into the dead letters."""
    log = RecordedLog()
    poison = [Arrived(offset, SECOND, b"k", b"?") for offset in range(10)]
    with pytest.raises(TooManyRejected):
        stage_on(log, Limits(run=10)).settle(chunk(*poison))
    assert log.records == []


def test_a_quiet_conversation_is_closed_through_the_log() -> None:
    """A tick publishes the close once; the conversation comes out when it is consumed."""
    log = RecordedLog()
    stage = stage_on(log)
    stage.settle(chunk(arrived(0, turn("a", 0))))
    stage.tick(5 * SECOND)
    assert log.of("conversation.events", ConversationEvent) == []
    stage.tick(11 * SECOND)
    stage.tick(12 * SECOND)
    (proposed,) = log.of("conversation.events", ConversationEvent)
    stage.settle(chunk(arrived(1, proposed)))
    (conversation,) = log.of("conversations", Conversation)
    assert conversation.closed_by == "inactivity"


def test_after_a_restart_a_quiet_partition_is_closed_without_traffic() -> None:
    """A new owner reads the state back for the tick alone."""
    log = RecordedLog()
    stage_on(log).settle(chunk(arrived(0, turn("a", 0))))
    stage_on(log).tick(11 * SECOND)
    assert len(log.of("conversation.events", ConversationEvent)) == 1


def test_another_owner_starts_from_the_log() -> None:
    """What was held is dropped when partitions are assigned anew, and read back: no event counts twice."""
    log = RecordedLog()
    stage = stage_on(log)
    stage.settle(chunk(arrived(0, turn("a", 0))))
    stage.assign([])
    stage.assign([0])
    stage.settle(chunk(arrived(0, turn("a", 0)), arrived(1, close("a", 1))))
    (conversation,) = log.of("conversations", Conversation)
    assert conversation.events == 2


def test_a_broker_that_was_replaced_stops_the_stage() -> None:
    """Offsets of another log under the old cluster id would be taken for repeats and lost."""
    log = RecordedLog()
    stage = stage_on(log)
    log.cluster_id = "cluster-2"
    with pytest.raises(LogWentBack, match="was 'cluster-1' and is 'cluster-2'"):
        stage.assign([0])


@settings(max_examples=150)
@given(st.permutations([f"c{number}" for number in range(5)] * 3), st.integers(1, 4), st.integers(0, 12), st.booleans())
def test_a_failure_at_any_confirmation_loses_and_doubles_nothing(
    order: list[str], size: int, fail_at: int, half: bool
) -> None:
    """Crash at any confirmation, with none or half of it written, and replay from the last acknowledged chunk."""
    counts: dict[str, int] = {}
    records = []
    for offset, id_ in enumerate(order):
        number = counts[id_] = counts.get(id_, -1) + 1
        records.append(arrived(offset, close(id_, 2) if number == 2 else turn(id_, number)))
    chunks = [chunk(*records[start : start + size]) for start in range(0, len(records), size)]
    log = RecordedLog(fail_at, half=half)
    acknowledged = 0
    for _ in range(2):
        stage = stage_on(log)
        try:
            for part in chunks[acknowledged:]:
                stage.settle(part)
                acknowledged += 1
        except BrokerUnavailable:
            continue
    mark = Monotone()
    landed = [c for c in log.of("conversations", Conversation) if mark.is_new(c.provenance)]
    assert {c.conversation_id for c in landed} == set(order)
    assert len(landed) == 5
    assert all((c.events, c.revision) == (3, 1) for c in landed)
