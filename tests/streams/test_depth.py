"""JSON that nests too deep is refused by name wherever it comes in, by all alike, and never by another error."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import Any

import orjson
import pytest
from fastavro import schemaless_writer
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import catalog, codec
from schemas.datum import to_datum
from schemas.depth import MAX_DEPTH, is_deeper, quoted
from schemas.errors import InvalidRecord, SchemaError
from schemas.fields import object_of
from schemas.labelled import labelled_of
from schemas.records import Conversation, ConversationEvent, DeadLetter, Example, Feedback, Outcome, Usage
from schemas.wire import bound
from sinks.decode import decoders
from sinks.decode_columns import bulk_decoders
from sinks.values import Arrived as Landing
from sinks.values import Partition, Row
from still.letters import readable
from streams.assemble import Assembler
from streams.distill import distill
from streams.errors import ImportFault
from streams.events import EventBuilder, feedback_of
from streams.importers.event_lines import events_of
from streams.importers.source import parse_lines
from streams.importers.wrapped import unwrapped
from streams.receive import Received, receive
from streams.redact import redact
from streams.settings import AssembleSettings, DistillSettings, RedactSettings
from streams.values import Arrived, Rejected
from tests.sinks.made import CLUSTER

DEPTHS = (65, 255, 300, 1000, 1020, 5000)
"""Just too deep; what orjson cannot write; what Python cannot walk; what orjson cannot read."""
EVENT: dict[str, Any] = {
    "event_id": "e", "conversation_id": "c", "kind": "conversation", "messages": [{"role": "user", "content": "Hi"}],
    "tools": [], "labels": [], "metadata": {}, "usage": [{}], "outcome": {"reward": 1},
    "feedback": {"name": "n", "kind": "float", "value": 1},
}  # fmt: skip
SAID = ConversationEvent("e", "c", "conversation", messages=EVENT["messages"], tools=[])
JSON = {"content-type": codec.JSON_CONTENT_TYPE}
FIELDS = [field["name"] for field in catalog.newest_schema("ConversationEvent")["fields"]]
WITHIN: list[list[Any]] = [
    ["colour"], ["messages", 0], ["messages", 0, "role"], ["messages", 0, "content"], ["messages", 0, "tool_calls"],
    ["labels", 0], ["tools", 0], ["metadata", "a"], ["usage", 0], ["usage", 0, "model"], ["usage", 0, "prompt_tokens"],
    ["usage", 0, "colour"], ["outcome", "reward"], ["outcome", "success"], ["outcome", "colour"], ["feedback", "name"],
    ["feedback", "kind"], ["feedback", "value"], ["feedback", "message"], ["feedback", "colour"],
]  # fmt: skip
PLACES: list[list[Any]] = [*[[name] for name in FIELDS], *WITHIN]
EVENTS = Partition(CLUSTER, "conversation.events", 0)
SECRET = RedactSettings(b"a key for tests only, 32 bytes..")


def nested(depth: int, shapes: str = "[") -> str:
    """JSON of this depth, its shapes in turn."""
    opens = (shapes * depth)[:depth]
    return "".join('{"a":' if one == "{" else "[" for one in opens) + "1" + opens[::-1].translate({91: "]", 123: "}"})


def within(times: int) -> str:
    """A text that holds JSON whose only text holds JSON, and so on: each of half the levels that are walked."""
    text = "a.b@corp.com"
    for _ in range(times):
        text = nested(MAX_DEPTH - 1).replace("1", orjson.dumps(text).decode())
    return text


def in_json(place: list[Any], deep: str) -> bytes:
    """An event as JSON that holds deep JSON at this place."""
    event = orjson.loads(orjson.dumps(EVENT))
    *way, last = place
    outer = event
    for step in way:
        outer = outer[step]
    if isinstance(outer, list):
        outer[last:] = ["DEEP"]
    else:
        outer[last] = "DEEP"
    return orjson.dumps(event).replace(b'"DEEP"', deep.encode())


def in_avro(name: str, text: str) -> bytes:
    """An event as Avro whose JSON field has this text."""
    out = BytesIO()
    out.write(bound().headers["ConversationEvent"])
    schemaless_writer(out, catalog.newest_schema("ConversationEvent"), {**to_datum(SAID), name: text})
    return out.getvalue()


def deep_call(depth: int = 1012) -> bytes:
    """An event of a few kilobytes as Avro, whose only tool call nests so deep that Python cannot quote it."""
    return in_avro("messages", TEXTS["messages "] % nested(depth, "{"))


def verdicts(value: bytes, headers: dict[str, bytes]) -> tuple[str, str | None, str | None]:
    """The reason of the worker, and those of the sink that reads records one by one and of the one that reads many."""
    received = receive(Arrived(0, 0, b"c", value, headers))
    landing = Landing(EVENTS, 0, 0, b"c", value, headers)
    single = decoders(b"key")[EVENTS.topic](landing)
    rows = [single, *bulk_decoders(b"key")[EVENTS.topic]([landing] * 2)]
    columns = {row.values[11] for row in rows if isinstance(row, Row)}
    assert len(columns) == 1
    reason = received.reason if isinstance(received, Rejected) else ""
    return reason, columns.pop(), received.detail if isinstance(received, Rejected) else None


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
def test_deep_json_is_refused_by_worker_sink_and_lines(place: list[Any], depth: int) -> None:
    """Wherever it stands in an event: worker and sink name a reason, a line its fault, and nothing is raised."""
    for shapes in ("[", "{", "[{"):
        value = in_json(place, nested(depth, shapes))
        reason, refused, _ = verdicts(value, JSON)
        assert reason == ("too_deep" if depth < 1000 else "undecodable" if depth > 1020 else reason)
        assert reason in ("too_deep", "undecodable")
        assert refused == "undecodable"
        (line,) = events_of("file", parse_lines("file", [value]))
        assert isinstance(line, ImportFault)
        letter = DeadLetter("d", "assemble", "too_deep", "", CLUSTER, EVENTS.topic, 0, 0, b"c", value, 0)
        orjson.dumps(readable(letter))


TEXTS = {
    "messages": '[{"role": "user", "content": %s}]',
    "tools": "[%s]",
    "labels": '[{"task": "intent", "target": %s}]',
    "messages ": '[{"role": "assistant", "tool_calls": %s}]',
    "messages  ": "%s",
    "labels ": "%s",
}


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(("name", "text"), TEXTS.items())
def test_deep_json_in_avro_is_refused_by_worker_and_sink(name: str, text: str, depth: int) -> None:
    """The same of JSON text in Avro, which no limit of JSON has met yet."""
    for shapes in ("[", "{", "[{"):
        value = in_avro(name.strip(), text % nested(depth, shapes))
        reason, refused, _ = verdicts(value, {})
        assert reason in ("too_deep", "undecodable") if depth >= 1000 else reason == "too_deep"
        assert refused == "undecodable"
        letter = DeadLetter("d", "assemble", "too_deep", "", CLUSTER, EVENTS.topic, 0, 0, b"c", value, 0)
        orjson.dumps(readable(letter))


@settings(max_examples=60)
@given(st.sampled_from(PLACES), st.integers(1, 1500), st.text("[{", min_size=1, max_size=4))
def test_worker_and_sink_agree_on_any_nesting(place: list[Any], depth: int, shapes: str) -> None:
    """What the worker takes the sink takes, and what one refuses the other refuses: for any nesting anywhere."""
    reason, refused, _ = verdicts(in_json(place, nested(depth, shapes)), JSON)
    assert bool(reason) == bool(refused)


@pytest.mark.parametrize("as_json", [True, False])
def test_the_deepest_that_is_taken_passes_every_step(as_json: bool) -> None:
    """What nests as deep as the limit allows is an event, goes through every step, and can be written again."""
    text = TEXTS["messages"] % nested(MAX_DEPTH - 2)
    value = in_json(["messages"], text) if as_json else in_avro("messages", text)
    arrived = Arrived(0, 0, b"c", value, JSON if as_json else {})
    assert isinstance(receive(arrived), Received)
    step = Assembler("k", 0, AssembleSettings()).take(arrived)
    assert step.draft is not None
    distill(redact(step.draft, SECRET), DistillSettings(), None)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("name", ["messages", "tools", "labels", "text", "target", "task", "split", "id", "colour"])
def test_a_labelled_line_is_refused_by_name(name: str, depth: int) -> None:
    """Deep JSON anywhere in a labelled line is its fault."""
    line = orjson.dumps({"task": "intent", "text": "Hi", "target": "a", name: "DEEP"})
    with pytest.raises(InvalidRecord):
        labelled_of(object_of(line.replace(b'"DEEP"', nested(depth).encode())), "set")


@pytest.mark.parametrize("depth", DEPTHS)
def test_the_sdk_refuses_what_nests_too_deep(depth: int) -> None:
    """Objects that never were JSON: refused by the field's name before anything quotes, walks or writes them."""
    deep: Any = 1
    for _ in range(depth):
        deep = [deep]
    said = EVENT["messages"]
    wrong: list[dict[str, Any]] = [
        {"messages": [{"role": "user", "content": deep}]}, {"messages": deep}, {"messages": [{"role": deep}]},
        {"tools": [{"a": deep}]}, {"tools": deep}, {"labels": [{"task": "intent", "target": deep}]}, {"labels": deep},
        {"metadata": {"a": deep}}, {"metadata": deep}, {"usage": deep}, {"usage": Usage(model=deep)},
        {"usage": Usage(prompt_tokens=deep)}, {"outcome": deep}, {"outcome": Outcome(reward=deep)},
        {"outcome": Outcome(reason=deep)}, {"feedback": deep}, {"feedback": Feedback(deep, "float", 1.0)},
        {"feedback": Feedback("n", deep, 1.0)}, {"feedback": Feedback("n", "float", deep)}, {"agent": deep},
        {"event_id": deep}, {"conversation_id": deep}, {"occurred_at": deep}, {"sequence": deep}, {"colour": deep},
    ]  # fmt: skip
    for one in wrong:
        with pytest.raises(InvalidRecord, match=next(iter(one))):
            EventBuilder().build(**{"kind": "conversation", "conversation_id": "c", "messages": said, **one})
    with pytest.raises(InvalidRecord, match="levels"):
        feedback_of("n", deep)


def test_deep_json_in_texts_stops_no_step() -> None:
    """Arguments and results of tools are texts: what they hold may nest as it likes, JSON texts in JSON texts too."""
    for text in (*(nested(depth, "{") for depth in DEPTHS), within(12)):
        messages: list[dict[str, Any]] = [
            {"role": "user", "content": "Cancel it, I am a.b@corp.com"},
            {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "cancel", "arguments": text}}]},
            {"role": "tool", "tool_call_id": "1", "content": text},
        ]
        value = codec.encode(replace(SAID, messages=messages))
        step = Assembler("k", 0, AssembleSettings()).take(Arrived(0, 0, b"c", value))
        assert step.draft is not None
        conversation = codec.decode(codec.encode(redact(step.draft, SECRET)), Conversation)
        assert "corp.com" not in str(conversation)
        for example in distill(conversation, DistillSettings(), None).examples:
            assert codec.decode(codec.encode(example), Example) == example
        assert unwrapped(text)


def test_depth_is_counted_without_recursion() -> None:
    """A value is as deep as its lists and objects stand in each other; one that holds itself is too deep."""
    assert [is_deeper(orjson.loads(nested(depth)), 3) for depth in (0, 1, 3, 4)] == [False, False, False, True]
    endless: list[Any] = []
    endless.append(endless)
    assert is_deeper(endless)
    assert quoted(endless) == "(more than 64 levels)"
    with pytest.raises(SchemaError):
        EventBuilder().build("turn", "c", [{"role": "user", "content": endless}])
