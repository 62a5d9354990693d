"""Records survive their bytes; bytes that are no record are refused with a reason."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import catalog, codec, edge, wire
from schemas.errors import InvalidRecord, Undecodable, UnknownSchema
from schemas.records import RECORDS, ConversationEvent, Feedback, Record, Usage

FILES = sorted((Path(catalog.__file__).parent / "examples").glob("*/v*/*.json"))
EVENT = ConversationEvent("e1", "c1", "turn", messages=[{"role": "user", "content": "Hello"}])


def _load(file: Path) -> Record:
    topic = catalog.topic(file.parts[-3])
    return codec.from_json(json.loads(file.read_text(encoding="utf-8")), RECORDS[topic.record])


@pytest.mark.parametrize("file", FILES, ids=lambda file: "/".join(file.parts[-3:]))
def test_example_round_trips(file: Path) -> None:
    """Every example message of every version reads, and survives Avro and JSON unchanged."""
    record = _load(file)
    assert codec.decode(codec.encode(record), type(record)) == record
    assert codec.from_json(codec.to_json(record), type(record)) == record


@pytest.mark.parametrize("topic", sorted(catalog.topics()))
def test_every_version_has_examples(topic: str) -> None:
    """Each version of each topic has two or more example messages."""
    for version in catalog.topic(topic).versions:
        assert sum(file.parts[-3:-1] == (topic, f"v{version}") for file in FILES) >= 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
OPTIONAL_LONG = st.none() | st.integers(-(2**63), 2**63 - 1)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
EVENTS = st.builds(
    ConversationEvent,
    event_id=st.text(min_size=1),
    conversation_id=st.text(min_size=1),
    kind=st.sampled_from(["turn", "closed", "conversation"]),
    sequence=OPTIONAL_LONG,
    occurred_at=OPTIONAL_LONG,
    tenant=st.none() | st.text(),
    messages=st.lists(st.fixed_dictionaries({"role": st.just("user"), "content": st.text(), "x": JSON}), max_size=3),
    usage=st.lists(st.builds(Usage, message=st.none() | st.integers(0, 9), cost_usd=st.none() | NUMBER)).map(tuple),
    feedback=st.none()
    | st.builds(Feedback, name=st.text(), kind=st.just("float"), value=NUMBER | st.booleans() | st.text()),
    metadata=st.dictionaries(st.text(), st.text(), max_size=3),
)


@given(EVENTS)
def test_decode_inverts_encode(event: ConversationEvent) -> None:
    """decode(encode(r)) = r for any event."""
    assert codec.decode(codec.encode(event), ConversationEvent) == event


@given(st.binary(max_size=200))
def test_random_bytes_are_undecodable(data: bytes) -> None:
    """Random bytes never crash the decoder and never pass for a record by accident of its header."""
    with pytest.raises(Undecodable):
        codec.decode(data if data[:1] != b"\x00" else b"\x01" + data, ConversationEvent)


@given(st.integers(0, 10_000))
def test_truncated_bytes_are_undecodable(cut: int) -> None:
    """Any proper prefix of a record is refused."""
    data = codec.encode(EVENT)
    with pytest.raises(Undecodable):
        codec.decode(data[: cut % len(data)], ConversationEvent)


@given(st.binary(max_size=300))
def test_random_bodies_are_refused_or_read(body: bytes) -> None:
    """Random Avro bodies under a right header either read or are refused; nothing else happens."""
    header = codec.encode(EVENT)[:5]
    try:
        read = codec.decode(header + body, ConversationEvent)
    except Undecodable:
        return
    assert isinstance(read, ConversationEvent)


def test_unknown_schema_id_is_named() -> None:
    """An unknown schema id is its own error and says the id."""
    with pytest.raises(UnknownSchema, match="4711"):
        codec.decode(wire.HEADER.pack(0, 4711) + b"\x00", ConversationEvent)


def test_trailing_bytes_are_refused() -> None:
    """Bytes after the record's end are a fault, not padding."""
    with pytest.raises(Undecodable, match="2 bytes unread"):
        codec.decode(codec.encode(EVENT) + b"ab", ConversationEvent)


def _closed(**own: Any) -> str:
    return json.dumps({"event_id": "e", "conversation_id": "c", "kind": "closed", **own})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "no JSON"),
        ("[1]", "JSON object"),
        ('{"event_id": NaN}', "no JSON"),
        ('{"event_id": "e"}', "lacks conversation_id, kind"),
        ('{"event_id": "e", "conversation_id": "c", "kind": "tern"}', "kind='tern' is not one of"),
        ('{"event_id": 7, "conversation_id": "c", "kind": "closed"}', "event_id=7 is not text"),
        ('{"event_id": "e", "conversation_id": "c", "kind": "closed", "mesages": []}', "no field 'mesages'"),
        (_closed(message=[]), "ConversationEvent has no field 'message'=[]; did you mean 'messages'?"),
        (_closed(colour="red"), "no field 'colour'='red'; leave it out, it knows ['agent'"),
        (_closed(feedback={"name": "csat", "value": 5, "score": 4}), "feedback has no field 'score'=4; leave it out"),
        (_closed(feedback={"name": "csat", "valu": 5}), "feedback has no field 'valu'=5; did you mean 'value'?"),
        (_closed(outcome={"succes": True}), "outcome has no field 'succes'=True; did you mean 'success'?"),
        (_closed(usage=[{}, {"price": None}]), "usage[1] has no field 'price'=None; leave it out, it knows ['cached_"),
        (_closed(usage=[{"total_tokens": 9}]), "did you mean 'prompt_tokens'? If not, leave it out"),
        ('{"event_id": "e", "conversation_id": "c", "kind": "turn"}', "without messages"),
        ('{"event_id": " ", "conversation_id": "c", "kind": "closed"}', "event_id is empty"),
        ('{"event_id": "e", "conversation_id": "c", "kind": "feedback"}', "without feedback"),
        ('{"event_id": "e", "conversation_id": "c", "kind": "turn", "messages": [7]}', "is no object"),
        ('{"event_id": "e", "conversation_id": "c", "kind": "turn", "messages": [{"role": "u"}]}', "role='u'"),
        ('{"event_id": "e", "conversation_id": "c", "kind": "turn", "messages": {"role": "user"}}', "no list"),
        (
            '{"event_id": "e", "conversation_id": "c", "kind": "closed", "usage": [{"cost_usd": -1}]}',
            "cost_usd=-1 ",
        ),
        (
            _closed(feedback={"name": "csat"}),
            "(one of boolean, float, comment, demonstration), value",
        ),
        (_closed(feedback={"name": "csat", "value": [5]}), "feedback lacks kind (one of boolean"),
        (
            _closed(feedback={"name": "csat", "value": 5, "kind": "stars"}),
            "feedback.kind='stars' is not one of",
        ),
        (_closed(feedback={"name": "csat", "value": 5, "kind": "boolean"}), "feedback 'csat': value=5 is no boolean"),
        (_closed(feedback={"name": 3, "value": 5}), "feedback.name=3 is not text"),
        (_closed(feedback=5), "feedback=5 is not an object with name, kind, value, message or null"),
        (_closed(outcome=True), "outcome=True is not an object with success, reward, reason or null"),
        (_closed(outcome={"success": "yes"}), "outcome.success='yes' is not true or false or null"),
        (_closed(usage={"cost_usd": 1}), "usage={'cost_usd': 1} is not a list of objects with message, model, prompt_"),
        (_closed(usage=[{}, {"cost_usd": "1"}]), "usage[1].cost_usd='1' is not a number or null"),
        (_closed(metadata={"shop": 3}), "metadata['shop']=3 is not text"),
        (_closed(sequence=1.5), "sequence=1.5 is not a whole number of 64 bits or null"),
        ('{"event_id": "e", "conversation_id": "c", "kind": "closed", "sequence": -1}', "count from 0"),
        ('{"event_id": "e", "conversation_id": "c", "kind": "closed", "labels": [{"task": "x"}]}', "needs a task"),
    ],
)
def test_wrong_json_event_is_explained(text: str, why: str) -> None:
    """A wrong JSON event is refused with the field and the value."""
    with pytest.raises((InvalidRecord, Undecodable), match=re.escape(why)):
        codec.decode_event(text.encode(), codec.JSON_CONTENT_TYPE)


@pytest.mark.parametrize(
    ("value", "kind"), [(True, "boolean"), (5, "float"), (0.5, "float"), ("slow", "comment")], ids=repr
)
def test_feedback_without_a_kind_has_its_values(value: Any, kind: str) -> None:
    """{name, value} is enough, as for the SDK; the same event with the kind written out is the same event."""
    short = codec.decode_event(_closed(feedback={"name": "csat", "value": value}).encode(), codec.JSON_CONTENT_TYPE)
    whole = _closed(feedback={"name": "csat", "value": value, "kind": kind})
    assert short == codec.decode_event(whole.encode(), codec.JSON_CONTENT_TYPE)
    assert short.feedback is not None
    assert short.feedback.kind == kind


@pytest.mark.parametrize("name", ["occurred_at", "started_at"])
@pytest.mark.parametrize("time_us", [-1, -(2**62), edge.LAST_US + 1, 1_790_000_000 * 10**9, 2**63 - 1])
def test_a_time_that_no_table_holds_is_refused(name: str, time_us: int) -> None:
    """Nanoseconds, the likeliest mistake, come out as such, in JSON, in Avro and before anything is sent."""
    event = ConversationEvent("e", "c", "closed", **{name: time_us})  # type: ignore[arg-type]
    wanted = rf"{name}={time_us} .*microseconds since the epoch"
    with pytest.raises(InvalidRecord, match=wanted):
        edge.check(event)
    with pytest.raises(InvalidRecord, match=wanted):
        codec.decode_event(codec.encode(event))
    with pytest.raises(InvalidRecord, match=wanted):
        codec.decode_event(_closed(**{name: time_us}).encode(), codec.JSON_CONTENT_TYPE)


@given(st.integers(edge.FIRST_US, edge.LAST_US))
def test_every_other_time_passes(time_us: int) -> None:
    """From 1970 to the end of 2299, both included: what a DateTime64 shows as it is."""
    event = ConversationEvent("e", "c", "closed", occurred_at=time_us, started_at=time_us)
    assert codec.decode_event(codec.encode(event)) == event


def test_the_last_time_is_the_end_of_2299() -> None:
    """The bound is a date, not a round number."""
    last = datetime(2300, 1, 1, tzinfo=UTC) - timedelta(microseconds=1)
    assert last == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=edge.LAST_US)


@pytest.mark.parametrize("time_us", [1.79e15, "now", True])
def test_a_time_is_a_whole_number(time_us: Any) -> None:
    """The SDK refuses what is none before it is compared with anything."""
    with pytest.raises(InvalidRecord, match=r"occurred_at=.* is no whole number; give microseconds"):
        edge.check(ConversationEvent("e", "c", "closed", occurred_at=time_us))


def test_not_a_number_is_refused_at_the_edge() -> None:
    """NaN costs in Avro are refused: a sum over them would be lost."""
    event = ConversationEvent("e", "c", "turn", messages=EVENT.messages, usage=(Usage(cost_usd=float("nan")),))
    with pytest.raises(InvalidRecord, match="finite"):
        codec.decode_event(codec.encode(event))


def test_wrong_value_is_refused_by_the_writer() -> None:
    """A record with a value of the wrong type is not written; the message names the field."""
    wrong = ConversationEvent("e", "c", "turn", sequence="first")  # type: ignore[arg-type]
    with pytest.raises(InvalidRecord, match="sequence='first'"):
        codec.encode(wrong)
