"""Assembly as a function of the log: order, duplicates, late events, limits, restarts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import codec
from schemas.letters import Position, Taken, letter_of, replay_headers
from schemas.logtime import LATEST_US
from schemas.records import AssemblyState, ConversationEvent, Feedback, Outcome, Usage
from streams.assemble import Assembler, inactivity_close
from streams.errors import ForeignState
from streams.settings import AssembleSettings
from streams.values import Arrived, Draft, Step

JSON = {"content-type": b"application/json"}
SETTINGS = AssembleSettings(inactivity_us=1_000, retain_closed_us=10_000)


def turn(sequence: int | None, text: str, id_: str = "c1", **fields: Any) -> ConversationEvent:
    """A customer's or agent's turn; even sequences are the customer's."""
    role = "assistant" if sequence and sequence % 2 else "user"
    messages = [{"role": role, "content": text}]
    return ConversationEvent(f"{id_}-{sequence}-{text}", id_, "turn", sequence, messages=messages, **fields)


def close(sequence: int | None = None, id_: str = "c1") -> ConversationEvent:
    """An explicit close."""
    return ConversationEvent(f"{id_}-close", id_, "closed", sequence)


def arrived(event: ConversationEvent, offset: int, timestamp_us: int | None = None) -> Arrived:
    """The event as consumed."""
    return Arrived(
        offset, offset if timestamp_us is None else timestamp_us, event.conversation_id.encode(), codec.encode(event)
    )


def assembler(settings: AssembleSettings = SETTINGS) -> Assembler:
    """An empty assembler of partition 0."""
    return Assembler("k1", 0, settings)


def run(events: list[ConversationEvent], target: Assembler | None = None) -> list[Step]:
    """The steps of these events, one offset after the other."""
    target = target or assembler()
    return [target.take(arrived(event, offset)) for offset, event in enumerate(events)]


def drafts(steps: list[Step]) -> list[Draft]:
    """What the steps emitted."""
    return [step.draft for step in steps if step.draft]


def content(draft: Draft) -> Draft:
    """A draft without what tells when it was emitted."""
    return replace(draft, revision=0, provenance=draft.provenance.__class__("", "", 0, 0))


def words(draft: Draft) -> list[str]:
    """What was said."""
    return [message["content"] for message in draft.messages]


def test_turns_become_one_conversation_when_closed() -> None:
    """A close emits the turns in order, with the provenance of the close."""
    steps = run([turn(0, "hello"), turn(1, "hi"), close(2)])
    (draft,) = drafts(steps)
    assert (words(draft), draft.closed_by, draft.revision, draft.events) == (["hello", "hi"], "closed", 1, 3)
    assert draft.provenance.offset == 2
    assert steps[-1].state is not None
    assert steps[-1].state.status == "closed"


def test_whole_conversation_is_emitted_at_once() -> None:
    """One event of kind conversation needs no close."""
    event = ConversationEvent("e", "c", "conversation", messages=[{"role": "user", "content": "hello"}])
    assert [draft.closed_by for draft in drafts(run([event]))] == ["conversation"]


@given(
    st.permutations([turn(0, "a"), turn(1, "b"), turn(2, "c"), turn(3, "d", outcome=Outcome(success=True)), close(4)])
)
def test_any_order_gives_the_same_conversation(events: list[ConversationEvent]) -> None:
    """Numbered events in any order make one revision, the same."""
    expected = drafts(
        run([turn(0, "a"), turn(1, "b"), turn(2, "c"), turn(3, "d", outcome=Outcome(success=True)), close(4)])
    )
    assert [content(draft) for draft in drafts(run(events))] == [content(draft) for draft in expected]


def test_close_before_its_turns_waits_for_them() -> None:
    """A close with sequence 2 emits nothing before turns 0 and 1 are there."""
    steps = run([close(2), turn(1, "hi"), turn(0, "hello")])
    assert [step.draft is not None for step in steps] == [False, False, True]
    assert words(drafts(steps)[0]) == ["hello", "hi"]


def test_late_event_makes_a_new_revision() -> None:
    """What arrives after the close supersedes with a higher revision."""
    feedback = ConversationEvent("f", "c1", "feedback", feedback=Feedback("csat", "float", 5.0))
    first, second = drafts(run([turn(0, "hello"), close(1), feedback]))
    assert (first.revision, second.revision) == (1, 2)
    assert (first.feedback, len(second.feedback)) == ((), 1)
    assert second.provenance.previous_offset == first.provenance.offset


def test_repeated_event_counts_once() -> None:
    """The same id with the same content is a duplicate, whatever its encoding."""
    event = turn(0, "hello")
    target = assembler()
    target.take(arrived(event, 0))
    as_json = Arrived(1, 1, b"c1", _json(event), JSON)
    assert target.take(as_json).duplicate


def test_same_id_with_other_content_is_rejected() -> None:
    """An event id names one content for good."""
    steps = run([turn(0, "hello"), replace(turn(0, "hello"), messages=[{"role": "user", "content": "bye"}])])
    assert steps[1].rejected is not None
    assert steps[1].rejected.reason == "conflicting_event"


def test_empty_contact_yields_nothing_and_is_named() -> None:
    """A close without any message emits no conversation and rejects nothing; a later turn still counts."""
    steps = run([close(), turn(None, "hello")])
    assert (steps[0].skipped, steps[0].draft, steps[0].rejected) == ("empty_conversation", None, None)
    assert words(drafts(steps)[0]) == ["hello"]


def test_inactivity_close_is_an_event_that_comes_back() -> None:
    """Idle proposes a close once; the conversation is emitted when the close is consumed."""
    target = assembler()
    run([turn(0, "hello")], target)
    assert target.idle(999) == []
    (proposed,) = target.idle(2_000)
    assert target.idle(3_000) == []
    step = target.take(arrived(proposed, 1, 2_000))
    assert step.draft is not None
    assert (step.draft.closed_by, step.draft.metadata, step.draft.ended_at) == ("inactivity", {}, None)


def test_activity_overtakes_an_inactivity_close() -> None:
    """A close of a conversation that has moved on does nothing."""
    target = assembler()
    run([turn(0, "hello")], target)
    (proposed,) = target.idle(2_000)
    target.take(arrived(turn(1, "hi"), 1))
    assert target.take(arrived(proposed, 2)).skipped == "stale_close"


def test_turn_reopens_what_only_inactivity_closed() -> None:
    """An inactivity close was a guess: the next turn waits for an end, the next feedback revises at once."""
    target = assembler()
    run([turn(0, "hello")], target)
    target.take(arrived(target.idle(2_000)[0], 1))
    reopened = target.take(arrived(turn(1, "back"), 2))
    assert reopened.draft is None
    assert reopened.state is not None
    assert reopened.state.status == "open"


def test_indexes_count_in_the_conversation() -> None:
    """Usage, labels and feedback of a turn point at its messages in the whole."""
    label = {"task": "intent", "message": 0, "target": "cancel"}
    second = turn(1, "hi", usage=(Usage(model="m"),), labels=[label], feedback=Feedback("thumb", "boolean", True, 0))
    (draft,) = drafts(run([turn(0, "hello"), second, close(2)]))
    assert draft.usage[0].message == 1
    assert draft.labels == [{**label, "message": 1}]
    assert draft.feedback[0].message == 1


@pytest.mark.parametrize(
    ("value", "headers", "reason"),
    [
        (None, {}, "no_value"),
        (b"", {}, "undecodable"),
        (b"\x00\x00\x00", {}, "undecodable"),
        (b"\x07random bytes that are no record", {}, "undecodable"),
        (b"\x00\x00\x00\x27\x0f" + b"x" * 20, {}, "unknown_schema"),
        (codec.encode(turn(0, "hello"))[:-9], {}, "undecodable"),
        (b"\x00" * 5_000_000, {}, "too_large"),
        (b"[1]", JSON, "undecodable"),
        (b'{"event_id": "e", "conversation_id": "c1", "kind": "turn", "cost": NaN}', JSON, "undecodable"),
        (b'{"event_id": "e", "conversation_id": "c1", "kind": "dance"}', JSON, "invalid"),
        (b'{"conversation_id": "c1", "kind": "closed"}', JSON, "invalid"),
        (b'{"event_id": "", "conversation_id": "c1", "kind": "closed"}', JSON, "invalid"),
        (b'{"event_id": "e", "conversation_id": "c1", "kind": "turn", "sequence": "x"}', JSON, "invalid"),
    ],
)  # fmt: skip
def test_bad_input_is_rejected_with_its_reason(value: bytes | None, headers: dict[str, bytes], reason: str) -> None:
    """Whatever is no event becomes a value that says why; nothing is raised and nothing is kept."""
    target = assembler()
    step = target.take(Arrived(0, 0, b"c1", value, headers))
    assert step.rejected is not None
    assert (step.rejected.reason, target.held_bytes) == (reason, 0)
    assert step.rejected.detail


@given(st.binary(max_size=200), st.booleans())
def test_random_bytes_never_raise(data: bytes, as_json: bool) -> None:
    """Random bytes are rejected, not raised."""
    headers = JSON if as_json else {}
    assert assembler().take(Arrived(0, 0, b"c1", data, headers)).rejected is not None


def test_nan_and_deep_nesting_are_rejected() -> None:
    """Values that Avro can carry but nobody can use are refused by name."""
    nested: Any = "x"
    for _ in range(100):
        nested = [nested]
    bad = [
        (replace(turn(0, "a"), usage=(Usage(cost_usd=float("nan")),)), "invalid"),
        (turn(0, "a", occurred_at=1_790_000_000 * 10**9), "invalid"),  # nanoseconds
        (turn(0, "a", started_at=-(2**62)), "invalid"),
        (replace(turn(0, "a"), messages=[{"role": "user", "content": nested}]), "too_deep"),
        (turn(0, "a", id_="other"), "wrong_key"),
    ]
    for event, reason in bad:
        step = assembler().take(Arrived(0, 0, b"c1", codec.encode(event)))
        assert step.rejected is not None
        assert step.rejected.reason == reason


def test_closed_conversations_expire_to_a_marker_and_refuse_what_is_too_late() -> None:
    """Past retention only the revision is remembered, and later events go to the dead letters."""
    target = assembler()
    run([turn(0, "hello"), close(1)], target)
    steps = [target.take(arrived(turn(0, "new", id_=f"c{n}"), n, 50_000)) for n in (2, 3)]
    expired = [marker for step in steps for marker in step.expired]
    assert [(marker.conversation_id, marker.events, marker.revision) for marker in expired] == [("c1", (), 1)]
    late = target.take(arrived(turn(3, "late"), 4))
    assert late.rejected is not None
    assert late.rejected.reason == "too_late"


@pytest.mark.parametrize("ahead_us", [100_000, LATEST_US])
def test_a_publisher_whose_clock_is_ahead_ages_nobody_elses_conversations(ahead_us: int) -> None:
    """Its own conversations are assembled as any; what others closed just now still takes late feedback."""
    target, offset = assembler(), 0
    thumb = Feedback("thumbs", "boolean", True)
    for n in range(60):
        for id_, time_us in ((f"honest-{n}", 1_000), (f"ahead-{n}", ahead_us))[: 1 + n % 2]:
            for event in (turn(0, "hello", id_), close(1, id_)):
                step = target.take(arrived(event, offset, time_us))
                assert (step.rejected, step.expired) == (None, ())
                offset += 1
    for n in range(60):
        late = ConversationEvent(f"late-{n}", f"honest-{n}", "feedback", feedback=thumb)
        step = target.take(arrived(late, offset + n, 1_000))
        assert step.draft is not None
        assert step.draft.revision == 2


def test_a_conversation_from_the_future_is_closed_for_inactivity_all_the_same() -> None:
    """It is quiet since it was noticed; a new event makes it active again."""
    target = assembler()
    target.take(arrived(turn(0, "hello"), 0, LATEST_US))
    assert target.idle(5_000) == []
    assert target.idle(5_999) == []
    target.take(arrived(turn(1, "more"), 1, LATEST_US))
    assert target.idle(6_000) == []
    assert target.idle(6_999) == []
    (proposed,) = target.idle(7_000)
    assert target.idle(8_000) == []
    step = target.take(arrived(proposed, 2, 7_000))
    assert step.draft is not None
    assert step.draft.closed_by == "inactivity"


def test_memory_is_bounded() -> None:
    """Held bytes never pass the limit: closed conversations go, then open ones are refused."""
    target = assembler(AssembleSettings(max_bytes=4_000, max_conversation_bytes=1_000, max_markers=5))
    reasons = []
    for n in range(60):
        step = target.take(arrived(turn(0, "x" * 100, id_=f"c{n}"), n))
        reasons.append(step.rejected.reason if step.rejected else None)
        assert target.held_bytes <= 4_000
    assert set(reasons) == {None, "assembly_full"}
    big = target.take(arrived(turn(1, "x" * 2_000, id_="c0"), 99))
    assert big.rejected is not None
    assert big.rejected.reason == "conversation_too_large"


def test_markers_are_forgotten_oldest_first() -> None:
    """The number of remembered conversations is bounded, and the shell is told whom to forget."""
    target = assembler(replace(SETTINGS, max_markers=2))
    events = [event for n in range(12) for event in (turn(0, "a", id_=f"c{n}"), close(1, id_=f"c{n}"))]
    steps = [target.take(arrived(event, n, 20_000 * n)) for n, event in enumerate(events)]
    assert [id_ for step in steps for id_ in step.forgotten] == ["c0", "c1", "c2"]


def test_state_of_another_log_is_refused() -> None:
    """Offsets of another cluster mean nothing here."""
    state = AssemblyState("c1", "other", 0, 5, "open", 0, 0)
    with pytest.raises(ForeignState, match="other"):
        assembler().restore(state)


def _event(id_: str, kind: str, n: int) -> ConversationEvent:
    if kind == "close":
        return close(n, id_=id_)
    return turn(n if kind == "numbered" else None, f"{kind} {n}", id_=id_)


EVENTS = st.lists(
    st.builds(
        _event,
        st.sampled_from(["c1", "c2", "c3"]),
        st.sampled_from(["numbered", "unnumbered", "close"]),
        st.integers(0, 4),
    ),
    max_size=14,
)
HASTY = AssembleSettings(inactivity_us=5, retain_closed_us=6)


CLOCKS = st.lists(st.one_of(st.none(), st.sampled_from([0, 3, 50, 10**6, LATEST_US])), min_size=14, max_size=14)


@given(EVENTS, CLOCKS, st.integers(0, 14), st.integers(0, 14))
def test_restoring_anywhere_and_replaying_changes_nothing(
    events: list[ConversationEvent], times: list[int | None], cut: int, back: int
) -> None:
    """Stop after any record, restore the newest states, replay from anywhere before: the same happens afterwards.

    Whatever the publishers' clocks say.
    """
    log = [arrived(event, offset, times[offset]) for offset, event in enumerate(events)]
    expected = run_log(assembler(HASTY), log)
    stored: dict[str, AssemblyState] = {}
    for step in run_log(assembler(HASTY), log[:cut]):
        stored |= {state.conversation_id: state for state in (*step.expired, step.state) if state}
    resumed = assembler(HASTY)
    for state in stored.values():
        resumed.restore(codec.decode(codec.encode(state), AssemblyState))
    replayed = run_log(resumed, log[max(0, cut - back) : cut])
    assert not any(step.draft or step.state or step.expired for step in replayed)
    assert [_lasting(step) for step in run_log(resumed, log[cut:])] == [_lasting(step) for step in expected[cut:]]


def test_inactivity_close_is_deterministic() -> None:
    """The same state proposes the same event, so that two proposals count once."""
    state = AssemblyState("c1", "k1", 0, 5, "open", 0, 0)
    assert inactivity_close(state) == inactivity_close(state)


def run_log(target: Assembler, log: list[Arrived]) -> list[Step]:
    """The steps of consumed records."""
    return [target.take(one) for one in log]


def _lasting(step: Step) -> Step:
    """A step without what is void after a restart: the predecessor in the session."""
    draft = step.draft and replace(step.draft, provenance=replace(step.draft.provenance, previous_offset=None))
    return replace(step, draft=draft)


def _json(event: ConversationEvent) -> bytes:

    return orjson.dumps(codec.to_json(event))


def replay(event: ConversationEvent, first: int, offset: int, stage: str = "assemble") -> Arrived:
    """The replay of a letter about `first`, arriving at `offset`."""
    letter = letter_of(
        Taken(Position("k1", "conversation.events", 0, first), 1, b"", b"?", {}), stage, "undecodable", ""
    )
    return arrived(event, offset)._replace(headers=replay_headers(letter))


def large(sequence: int, size: int, id_: str = "c1") -> ConversationEvent:
    """A turn of so many bytes."""
    return replace(turn(sequence, "large", id_), messages=[{"role": "user", "content": "x" * size}])


def test_a_replayed_event_takes_its_first_place() -> None:
    """Without a number it stands where it lay at first, and what it causes carries that position and its attempt."""
    target = assembler()
    run([turn(None, "one"), turn(None, "three")], target)  # offset 0 and 1; the poisoned one lay before both
    late = target.take(replay(turn(None, "zero"), 0, 5))
    assert late.draft is None
    assert late.state is not None
    assert late.state.offset == 5
    last = target.take(replay(close(), 3, 6))
    assert last.draft is not None
    assert (last.draft.provenance.offset, last.draft.provenance.attempt) == (3, 1)
    assert last.draft.provenance.previous_offset is None
    after = target.take(arrived(turn(None, "late"), 9))
    assert after.draft is not None
    assert after.draft.provenance.previous_offset is None


def test_a_replay_twice_is_one_event() -> None:
    """The second one is the first one's twin, whatever its offset."""
    target = assembler()
    run([turn(0, "hello")], target)
    assert target.take(replay(turn(1, "hi"), 3, 5)).state is not None
    assert target.take(replay(turn(1, "hi"), 3, 6)) == Step(duplicate=True)


def test_a_replay_for_another_stage_changes_nothing() -> None:
    """What the sink could not take was assembled long ago; its replay must not reopen anything."""
    target = assembler()
    run([turn(0, "hello"), close(1)], target)
    assert target.take(replay(turn(0, "hello"), 0, 5, stage="sink")) == Step(duplicate=True)


def test_what_closes_a_conversation_is_taken_beyond_every_limit() -> None:
    """A full conversation, or a full partition, must be able to end: only that lets memory go."""
    target = assembler(AssembleSettings(max_bytes=2_000, max_conversation_bytes=1_000))
    run([large(0, 900), large(0, 900, "c2")], target)
    refused = target.take(arrived(large(1, 100), 2))
    assert refused.rejected is not None
    assert refused.rejected.reason == "conversation_too_large"
    idle = target.idle(10**10)
    assert {event.conversation_id for event in idle} == {"c1", "c2"}
    steps = [target.take(arrived(event, 3 + n)) for n, event in enumerate(idle)]
    assert [draft.closed_by for draft in drafts(steps)] == ["inactivity", "inactivity"]


def test_a_conversation_of_several_megabytes_flows() -> None:
    """Turns that no single event could carry make one conversation."""
    steps = run([*(large(n, 900_000) for n in range(6)), close(6)])
    (draft,) = drafts(steps)
    assert sum(len(message["content"]) for message in draft.messages) == 5_400_000


def test_a_limit_that_was_raised_lets_the_letter_pass() -> None:
    """The same bytes are refused by one setting and taken by another."""
    big = large(0, 1_200_000)
    refused = assembler().take(arrived(big, 0))
    assert refused.rejected is not None
    assert refused.rejected.reason == "too_large"
    assert assembler(replace(SETTINGS, max_event_bytes=2_000_000)).take(replay(big, 0, 1)).state is not None


def test_what_was_forgotten_before_a_start_is_forgotten_after_it() -> None:
    """A marker whose tombstone a death prevented counts no more: its id is a new conversation, as it was before."""
    again = assembler(replace(SETTINGS, max_markers=1))
    for id_, offset in (("old", 3), ("new", 4)):
        again.restore(AssemblyState(id_, "k1", 0, offset, "closed", 1, offset))
    assert again.resume(5) == ("old",)
    assert [again.take(arrived(turn(0, "hello", "old"), offset)).duplicate for offset in (5, 6)] == [True, False]
    step = again.take(arrived(turn(1, "hi", "new"), 7))
    assert step.rejected is not None
    assert step.rejected.reason == "too_late"


def test_what_is_decided_is_not_judged_again() -> None:
    """At or below the mark of a start everything is a repeat: what no state holds was refused, with a letter."""
    again = assembler()
    assert again.resume(1) == ()
    steps = run([turn(0, "refused"), close(1), turn(0, "hello", "c2")], again)
    assert [step.duplicate for step in steps] == [True, True, False]
