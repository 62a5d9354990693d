"""Nothing that passes the edge may stop the worker: odd but legal events go all the way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import codec
from schemas.records import Conversation, ConversationEvent, Example, Feedback, Usage
from streams.assemble import Assembler
from streams.distill import distill
from streams.redact import redact
from streams.redact.known import KIND_OF_KEY, is_telling
from streams.settings import AssembleSettings, DistillSettings, RedactSettings
from streams.values import Arrived
from tests.streams.test_depth import within

SECRET = RedactSettings(b"a key for tests only, 32 bytes..")
TEXT = st.text(max_size=30) | st.sampled_from(
    [
        "",
        "{",
        '{"email": "a.b@corp.com"}',
        "[[1]]",
        "Hi Mia Li,",
        "May 32nd 2024",
        "4111111111111111",
        "Error",
        "\u202e\x00",
        "[" * 300 + "]" * 300,
        '{"a":' * 1000 + "1" + "}" * 1000,
        within(9),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
NUMBERS = st.sampled_from(
    ["01/02/1990", "1990-01-02", "2.1.90", "DE89.3704.0044.0532.0130.00", "+49/30 1234567x1", "4111.1111.1111.1111"]
)
BEFORE, BEHIND = st.sampled_from(["", "(", "*", "d. "]), st.sampled_from(["", ")", "?", "T0"])
ODD = st.tuples(BEFORE, NUMBERS, BEHIND).map("".join)
PERSONAL = st.dictionaries(st.sampled_from(sorted(KIND_OF_KEY)), ODD, max_size=3)
"""Values under the keys of personal ones, nearly in the form that these have."""

ARGUMENTS = JSON | st.just("{}") | PERSONAL | PERSONAL.map(lambda found: orjson.dumps(found).decode())
FUNCTION = st.fixed_dictionaries({"name": TEXT}, optional={"arguments": ARGUMENTS})
CALL = st.fixed_dictionaries({"function": FUNCTION}, optional={"id": JSON, "type": JSON})
CONTENT = st.none() | TEXT | st.lists(JSON | st.fixed_dictionaries({"type": st.just("text"), "text": JSON}), max_size=3)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "developer", "user", "assistant", "tool", "function"])},
    optional={
        "content": CONTENT,
        "tool_calls": st.none() | st.lists(CALL, max_size=2),
        "tool_call_id": JSON,
        "error": JSON,
        "refusal": JSON,
        "content_filter_results": JSON,
        "name": JSON,
    },
)
TOOL = st.fixed_dictionaries(
    {"function": st.fixed_dictionaries({"name": TEXT, "parameters": st.fixed_dictionaries({"required": JSON})})}
)
LABEL = st.fixed_dictionaries(
    {"task": st.sampled_from(["intent", "entities", "response", "tools", "safety"]), "target": JSON},
    optional={"message": st.just(0), "label_set": JSON, "source": JSON},
)
EVENT = st.fixed_dictionaries(
    {
        "event_id": st.just("e1"),
        "conversation_id": st.just("c1"),
        "kind": st.just("conversation"),
        "messages": st.lists(MESSAGE, min_size=1, max_size=6),
    },
    optional={
        "labels": st.lists(LABEL, max_size=4),
        "tools": st.none() | st.lists(st.dictionaries(TEXT, JSON, max_size=2) | TOOL, max_size=2),
        "customer_id": TEXT,
        "metadata": st.dictionaries(TEXT, TEXT, max_size=2) | PERSONAL,
    },
)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=150)
@given(EVENT)
def test_legal_events_pass_every_step(event: dict[str, Any]) -> None:
    """An event is rejected as a value, or becomes a conversation, a score and examples that fit their schemas."""
    arrived = Arrived(0, 0, b"c1", orjson.dumps(event), {"content-type": b"application/json"})
    step = Assembler("k1", 0, AssembleSettings()).take(arrived)
    if step.draft is None:
        assert step.rejected is not None
        return
    conversation = codec.decode(codec.encode(redact(step.draft, SECRET)), Conversation)
    distilled = distill(conversation, DistillSettings(), None)
    codec.encode(distilled.score)
    for example in distilled.examples:
        assert codec.decode(codec.encode(example), Example) == example


def taken_to_the_end(*events: ConversationEvent) -> Conversation:
    """The last conversation that these events make, once its score and examples were written."""
    assembler, found = Assembler("k1", 0, AssembleSettings()), None
    for offset, event in enumerate(events):
        step = assembler.take(Arrived(offset, 0, event.conversation_id.encode(), codec.encode(event)))
        assert step.rejected is None
        if step.draft is not None:
            found = codec.decode(codec.encode(redact(step.draft, SECRET)), Conversation)
            distilled = distill(found, DistillSettings(), None)
            codec.encode(distilled.score)
            assert all(codec.encode(example) for example in distilled.examples)
    assert found is not None
    return found


def whole(*messages: dict[str, Any], **fields: Any) -> ConversationEvent:
    """A contact in one event."""
    return ConversationEvent("e", "c", "conversation", messages=list(messages), **fields)


def test_an_index_that_names_no_message_stays_one_that_travels() -> None:
    """Usage and feedback may name any index; counted in the conversation it must not pass what the schema holds."""
    said = {"role": "user", "content": "hello"}
    last = 2**31 - 1
    first = ConversationEvent("e1", "c", "turn", messages=[said])
    more = ConversationEvent(
        "e2", "c", "turn", messages=[said], usage=(Usage(last),), feedback=Feedback("f", "boolean", True, last)
    )
    made = taken_to_the_end(first, more, ConversationEvent("e3", "c", "closed"))
    assert (made.usage[0].message, made.feedback[0].message) == (last, last)


def test_a_tool_that_requires_what_is_no_name_stops_nothing() -> None:
    """Definitions travel verbatim, so that anything may stand in the list of what a tool requires."""
    call = {"function": {"name": "find", "arguments": "{}"}}
    tool = {"type": "function", "function": {"name": "find", "parameters": {"required": [["id"], {}, 1]}}}
    said = {"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [call]}
    assert taken_to_the_end(whole(*said, tools=[tool])).tools == [tool]


@pytest.mark.parametrize("behind", ["ad\u0131na", "\u0130DA", "K\u0131", "\u017f1", "\u212a"])
def test_letters_that_only_case_folding_takes_for_ours_end_no_account(behind: str) -> None:
    """What a Turkish customer says behind an account is no part of it, and the account is replaced."""
    made = taken_to_the_end(whole({"role": "user", "content": f"TR33 0006 1005 1978 6457 8413 26 {behind} please"}))
    said = made.messages[0]["content"]
    assert (said.startswith("TR33"), said.endswith(f" {behind} please")) == (False, True)


@pytest.mark.parametrize("tools", [5, True, "find", {"function": {"name": "find"}}])
def test_tools_that_are_no_list_are_refused_and_where_they_were_taken_stop_nothing(tools: Any) -> None:
    """A new event is refused by name; a conversation that holds such tools since before is distilled without any."""
    call = {"role": "assistant", "tool_calls": [{"function": {"name": "find"}}]}
    said: list[dict[str, Any]] = [{"role": "user", "content": "x"}, call]
    event = replace(whole(*said), tools=tools)
    step = Assembler("k1", 0, AssembleSettings()).take(Arrived(0, 0, b"c", codec.encode(event)))
    assert step.rejected is not None
    assert (step.rejected.reason, f"tools={tools!r}" in step.rejected.detail) == ("invalid", True)
    distill(replace(taken_to_the_end(whole(*said)), tools=tools), DistillSettings(), None)


@pytest.mark.parametrize("key", {kind: key for key, kind in KIND_OF_KEY.items()}.values())
@pytest.mark.parametrize("odd", ["(01/02/1990)", "*01.02.1990", "d. 1.2.90", "DE89.3704.0044.0532.0130.00", "0x+12"])
def test_a_personal_value_in_no_form_of_its_kind_is_replaced_all_the_same(key: str, odd: str) -> None:
    """Brackets around a date of birth, dots in an account: nothing ends, and nothing of the value stays."""
    made = taken_to_the_end(whole({"role": "user", "content": "hello"}, metadata={key: odd}))
    assert (made.metadata[key] != odd) == is_telling(odd, KIND_OF_KEY[key])


def test_json_that_is_written_anew_does_not_grow_out_of_its_topic() -> None:
    """Deep lists with one line break pass an event's limit; indented they had sixty times their size."""
    text = "[\n" + "[" * 50 + '"mia.li@corp.com",' + "1," * 100_000 + "1" + "]" * 51
    made = taken_to_the_end(whole({"role": "user", "content": "x"}, {"role": "tool", "content": text}))
    assert len(made.messages[1]["content"]) < 1.5 * len(text)


@pytest.mark.parametrize(
    "text",
    ["me@ " + "a1" * 150_000, "1 " + "A-" * 150_000],
    ids=["one word", "one word of dashes"],
)
def test_a_word_of_many_pages_is_read_through_once(text: str) -> None:
    """A pasted key or picture is a single word: to look for addresses from each of its letters would take hours."""
    assert taken_to_the_end(whole({"role": "user", "content": text})).messages[0]["content"] == text
