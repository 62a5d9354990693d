"""Simulated traffic: deterministic, valid at the edge, true in its annotations, and as imperfect as promised."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import codec, edge
from schemas.records import ConversationEvent, Message
from streams.simulate.benchmark import ground_truth
from streams.simulate.errors import BadSettings
from streams.simulate.grammar import forms, slots
from streams.simulate.language import available, language
from streams.simulate.scenario import DIALOGUE_ACTS, FLAWS
from streams.simulate.scene import ENTITY_OF, SLOTS
from streams.simulate.settings import SimulateSettings
from streams.simulate.shop import shop
from streams.simulate.simulate import simulate

START_US = int(datetime(2026, 5, 4, 8, tzinfo=UTC).timestamp()) * 10**6
ALL = available()
INTENTS = {*shop().intents, *DIALOGUE_ACTS}
PARAMETERS = {tool["function"]["name"]: tool["function"]["parameters"] for tool in shop().tools}


def _events(seed: int, **changes: Any) -> list[ConversationEvent]:
    return list(simulate(SimulateSettings(start_us=START_US, **changes), seed))


def _whole(seed: int, conversations: int = 300, **changes: Any) -> list[ConversationEvent]:
    return _events(seed, conversations=conversations, whole=True, **changes)


def test_equal_seeds_make_equal_bytes() -> None:
    """The same settings and seed give the same encoded events; another seed gives others."""
    first, again, other = (
        [codec.encode(event) for event in _events(seed, conversations=60, languages=ALL)] for seed in (4, 4, 5)
    )
    assert first == again
    assert not set(first) & set(other)


def test_more_contacts_only_add() -> None:
    """Asking for more contacts of the same seed keeps the former ones as they were."""
    few, more = _whole(3, 20), _whole(3, 40)
    assert more[:15] == few[:15]


@settings(max_examples=25)
@given(st.integers(0, 2**40), st.booleans())
def test_every_event_passes_the_edge_and_the_codec(seed: int, whole: bool) -> None:
    """Any seed gives events that the edge takes and that survive Avro."""
    for event in _events(seed, conversations=12, whole=whole, languages=ALL):
        edge.check(event)
        assert codec.decode(codec.encode(event), ConversationEvent) == event


@settings(max_examples=25)
@given(st.integers(0, 2**40))
def test_labels_point_at_what_they_say(seed: int) -> None:
    """Every label names a customer's message; entity spans lie inside it, in order, and hold text of their kind."""
    for event in _whole(seed, 12, languages=ALL, label_noise=0.0):
        for label in event.labels:
            message = event.messages[label["message"]]
            assert message["role"] == "user"
            _check_target(label, message["content"])


def _check_target(label: dict[str, Any], text: str) -> None:
    if label["task"] == "intent":
        assert label["target"] in INTENTS
    if label["task"] != "entities":
        return
    ends = 0
    for span in label["target"]:
        assert ends <= span["start"] < span["end"] <= len(text)
        assert span["label"] in ENTITY_OF.values()
        value = text[span["start"] : span["end"]]
        assert value == value.strip() != ""
        if span["label"] == "order_id":
            assert re.fullmatch(r"LL-\d{6}", value.upper())
        ends = span["end"]


@settings(max_examples=25)
@given(st.integers(0, 2**40))
def test_tool_calls_keep_the_tools_schemas(seed: int) -> None:
    """Arguments have the schema's names, patterns and choices, and every call gets its result."""
    for event in _whole(seed, 12, languages=ALL):
        for index, message in enumerate(event.messages):
            for call in message.get("tool_calls", ()):
                _check_arguments(call["function"])
                assert event.messages[index + 1]["tool_call_id"] == call["id"]
                assert orjson.loads(event.messages[index + 1]["content"])


def _check_arguments(function: dict[str, str]) -> None:
    parameters = PARAMETERS[function["name"]]
    arguments = orjson.loads(function["arguments"])
    assert list(arguments) == parameters["required"]
    for name, value in arguments.items():
        schema = parameters["properties"][name]
        assert re.fullmatch(schema.get("pattern", ".+"), value)
        assert value in schema.get("enum", [value])


def test_arguments_come_from_the_customer() -> None:
    """In flawless contacts every argument but reasons and dates was said by the customer before, up to case."""
    for event in _whole(11, 400, bad_share=0.0, languages=ALL):
        said = ""
        for message in event.messages:
            said += str(message["content"]).lower() if message["role"] == "user" else ""
            for call in message.get("tool_calls", ()):
                arguments = orjson.loads(call["function"]["arguments"])
                spoken = [value for name, value in arguments.items() if name not in ("reason", "expected_on")]
                assert all(value.lower() in said for value in spoken), (arguments, said)


@pytest.mark.parametrize("code", ALL)
def test_language_files_are_complete(code: str) -> None:
    """Every language knows every intent, category, question and answer, and only slots that a scene has."""
    tongue, english = language(code), language("en")
    for section in ("customer", "openings", "unsafe", "give", "agent", "asks", "replies"):
        phrases = getattr(tongue, section)
        assert set(phrases) == set(getattr(english, section)), section
        for name, phrase in phrases.items():
            assert slots((phrase,)) <= SLOTS, (section, name)
    assert set(tongue.openings) == {*shop().intents, "out_of_scope"}
    assert set(tongue.give) == set(tongue.asks)


@pytest.mark.parametrize(("code", "least"), [("en", 300), ("de", 60), ("es", 60)])
def test_each_intent_has_many_surface_forms(code: str, least: int) -> None:
    """Composition gives hundreds of ways to open each matter, slots counted once and greetings not at all."""
    counts = {intent: forms((phrase,)) for intent, phrase in language(code).openings.items()}
    assert min(counts.values()) >= least, counts


def test_shares_are_about_what_was_asked() -> None:
    """Bad, unsafe and off-topic contacts come in the shares of the settings."""
    flawed = _whole(7, 1500, bad_share=0.3, unsafe_share=0.1, out_of_scope_share=0.1)
    failed = Counter(event.outcome.reason for event in flawed if event.outcome and not event.outcome.success)
    assert set(failed) == set(FLAWS)
    assert 0.15 < failed.total() / len(flawed) < 0.3
    verdicts = [label["target"] for event in flawed for label in event.labels[2:3]]
    assert 0.15 < sum(map(bool, verdicts)) / len(flawed) < 0.25


def test_customers_come_back() -> None:
    """There are about three contacts for a customer, and a customer keeps the language."""
    events = _whole(2, 600, languages=ALL)
    spoken: dict[str | None, set[str]] = {}
    for event in events:
        spoken.setdefault(event.customer_id, set()).add(event.metadata["language"])
    assert 150 < len(spoken) < 300
    assert all(len(codes) == 1 for codes in spoken.values())
    assert set.union(*spoken.values()) == set(ALL)


def test_unknown_usage_is_null() -> None:
    """Some contacts report no usage, some no cost; nobody reports 0."""
    usage = [event.usage for event in _whole(5)]
    costs = [one.cost_usd for each in usage for one in each]
    assert any(not each for each in usage)
    assert None in costs
    assert 0 not in costs


def test_the_log_is_as_untidy_as_a_network() -> None:
    """Turn events come twice (byte for byte), out of order, late or without a close, in part of the contacts only."""
    events = _events(9, conversations=400, disorder=0.5)
    by_conversation: dict[str, list[ConversationEvent]] = {}
    for event in events:
        by_conversation.setdefault(event.conversation_id, []).append(event)
    logs = list(by_conversation.values())
    sequences = [[event.sequence for event in log] for log in logs]
    doubled = [numbers for numbers in sequences if len(set(numbers)) < len(numbers)]
    disordered = [numbers for numbers in sequences if numbers != sorted(numbers, key=lambda n: n or 0)]
    unclosed = [log for log in logs if all(event.kind != "closed" for event in log)]
    assert min(len(doubled), len(disordered), len(unclosed)) > 10
    assert len(logs) == 400
    distinct = {event.event_id: codec.encode(event) for event in events}
    assert all(codec.encode(event) == distinct[event.event_id] for event in events)


def test_turn_events_and_whole_conversations_tell_the_same() -> None:
    """Without disorder both modes hold the same messages, and turn labels count within their turn."""
    turns = _events(6, conversations=30, disorder=0.0, label_noise=0.0)
    wholes = _whole(6, 30, disorder=0.0, label_noise=0.0)
    said: dict[str, list[Message]] = {}
    for event in turns:
        said.setdefault(event.conversation_id[-6:], []).extend(event.messages)
    assert said == {event.conversation_id[-6:]: event.messages for event in wholes}


def test_benchmark_lines_are_labelled_data_of_other_customers() -> None:
    """Ground truth covers all five tasks in the labelled form, shares no customer with traffic and repeats no text."""
    plain = SimulateSettings(start_us=START_US, conversations=200)
    lines = list(ground_truth(plain, 1))
    assert {line["task"] for line in lines} == {"intent", "entities", "response", "tools", "safety"}
    assert not {line["customer_id"] for line in lines} & {event.customer_id for event in simulate(plain, 1)}
    assert len({line["id"] for line in lines}) == len(lines)
    assert all(line["split"] == "benchmark" and ("text" in line) != ("messages" in line) for line in lines)
    assert list(islice(ground_truth(plain, 1), 50)) == lines[:50]


@pytest.mark.parametrize(
    "wrong",
    [{"languages": ("xx",)}, {"languages": ()}, {"conversations": -1}, {"disorder": 2.0}, {"seconds_between": 0}],
)
def test_senseless_settings_are_refused(wrong: dict[str, Any]) -> None:
    """A setting that makes no sense is quoted in the error."""
    with pytest.raises(BadSettings, match=next(iter(wrong))):
        SimulateSettings(start_us=START_US, **wrong)
