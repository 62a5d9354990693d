"""The rules of the five tasks on small conversations."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.records import Conversation, Feedback
from streams.decompose import decompose
from streams.transcript import read
from streams.values import Cut
from tests.streams.conversations import SHOPPING, agent, conversation, customer, result

SHOP = {"domain": "shop"}


def cuts(task: str, contact: Conversation) -> list[Cut]:
    """The cuts of one task."""
    return [cut for cut in decompose(read(contact)) if cut.task == task]


def spans(cut: Cut) -> dict[str, str]:
    """What an entity cut found, by label."""
    text = cut.input[-1]["content"]
    return {span["label"]: text[span["start"] : span["end"]] for span in cut.target}


def label(task: str, target: Any, message: int | None = 3, **fields: Any) -> dict[str, Any]:
    """An annotation."""
    return {"task": task, "target": target, **({} if message is None else {"message": message}), **fields}


def test_intent_comes_from_labels_before_flow_before_tools() -> None:
    """The best source wins, and each says what it is and which label set it fills."""
    labelled = conversation(
        *SHOPPING, labels=[label("intent", "cancel", label_set="mine")], metadata={**SHOP, "flow": "f"}
    )
    flow = conversation(*SHOPPING, metadata={**SHOP, "flow": "orders"})
    tools = conversation(*SHOPPING, metadata=SHOP)
    found = [
        (c.target, c.label_set, c.label_source, c.turn) for x in (labelled, flow, tools) for c in cuts("intent", x)
    ]
    assert found == [
        ("cancel", "mine", "teacher", 3),
        ("orders", "flows:shop", "flow", 3),
        ("cancel_order", "actions:shop", "tool_sequence", 3),
    ]


def test_intent_belongs_to_the_request_not_the_greeting_or_the_yes() -> None:
    """A label of the whole conversation goes to the turn that brings the wish."""
    (cut,) = cuts("intent", conversation(*SHOPPING, labels=[label("intent", "cancel", None)]))
    assert cut.input[-1]["content"].startswith("I want to cancel")


def test_several_intents_of_one_message_are_one_example() -> None:
    """Labels of one message, label set and source join into a list."""
    labels = [label("intent", "cancel", source="person"), label("intent", "refund", source="person")]
    (cut,) = cuts("intent", conversation(*SHOPPING, labels=labels))
    assert (cut.target, cut.label, cut.label_source) == (["cancel", "refund"], "cancel+refund", "person")


@pytest.mark.parametrize("person_first", [True, False])
@pytest.mark.parametrize(
    ("task", "teacher", "person"),
    [
        ("intent", "track_order", "cancel_order"),
        ("safety", ["toxic"], []),
        ("entities", [{"start": 0, "end": 9, "label": "a"}], [{"start": 2, "end": 6, "label": "b"}]),
        ("response", "No.", "Gladly."),
        ("tools", {"name": "track", "arguments": {}}, None),
    ],
)
def test_a_persons_correction_replaces_what_it_corrects(
    task: str, teacher: Any, person: Any, *, person_first: bool
) -> None:
    """Whatever came first, nothing of the corrected label is left in the person's."""
    labels = [label(task, teacher, source="teacher"), label(task, person, source="person")]
    contact = conversation(*SHOPPING, labels=labels[::-1] if person_first else labels)
    found = [(c.target, c.label_source) for c in cuts(task, contact) if c.label_set == f"{task}:default"]
    assert found == [(person, "person")]


def test_a_person_is_heard_before_a_label_of_the_whole_conversation() -> None:
    """Where both mean one turn, the first cut is the example: the person's."""
    labels = [label("intent", "track", None), label("intent", "cancel", source="person")]
    assert [c.target for c in cuts("intent", conversation(*SHOPPING, labels=labels))] == ["cancel", "track"]


@pytest.mark.parametrize("task", ["response", "tools"])
def test_the_later_answer_of_one_source_stands(task: str) -> None:
    """There is one answer, so a second one corrects the first and is not lost with it."""
    one, other = ("A.", "B.") if task == "response" else (None, {"name": "find", "arguments": {}})
    (cut,) = [c for c in cuts(task, conversation(*SHOPPING, labels=[label(task, one), label(task, other)]))
              if c.label_set == f"{task}:default"]  # fmt: skip
    assert cut.target == other


@pytest.mark.parametrize("message", [0, 2, 5])
@pytest.mark.parametrize("task", ["safety", "entities"])
def test_a_label_on_another_speakers_turn_is_never_the_customers(task: str, message: int) -> None:
    """It is cut on its own turn, last in its input, with the fault; what the rules derive is still cut."""
    target: Any = ["prompt_injection"] if task == "safety" else [{"start": 0, "end": 4, "label": "x"}]
    labelled = conversation(*SHOPPING, labels=[label(task, target, message)])
    found = [c for c in cuts(task, labelled) if c.label_set == f"{task}:default"]
    assert [(c.turn, c.target, c.faults) for c in found] == [(message, target, ("not_the_customer",))]
    said, given = found[0].input[-1], SHOPPING[message]
    assert said["role"] == given["role"]
    assert str(given["content"]).startswith(said["content"].removesuffix("…"))
    assert len(said["content"]) <= 600
    derived = [c for c in cuts(task, labelled) if not c.faults]
    assert derived == cuts(task, conversation(*SHOPPING)) != []


@pytest.mark.parametrize("task", ["safety", "entities"])
def test_a_label_on_the_customers_turn_is_about_its_words(task: str) -> None:
    """The labelled turn is the last of the input, and no fault is found in it."""
    target: Any = ["toxic"] if task == "safety" else [{"start": 0, "end": 4, "label": "x"}]
    (cut,) = cuts(task, conversation(*SHOPPING, labels=[label(task, target)]))
    assert (cut.turn, cut.faults, cut.input[-1]["content"]) == (3, (), SHOPPING[3]["content"])


def test_entities_are_located_in_normal_forms() -> None:
    """Ids, dates and amounts of tool arguments are found as the customer wrote them."""
    (cut,) = cuts("entities", conversation(*SHOPPING, metadata=SHOP))
    assert spans(cut) == {"order_id": "#W2378156", "date": "May 20th"}
    assert (cut.label_set, cut.label_source, cut.label) == ("arguments:shop", "tool_arguments", "date+order_id")


@pytest.mark.parametrize(
    ("text", "arguments", "expected"),
    [
        ("from JFK to SEA", {"origin": "JFK", "destination": "SEA"}, {"origin": "JFK", "destination": "SEA"}),
        ("JFK, then JFK again", {"origin": "JFK"}, {}),
        ("only JFK", {"origin": "JFK", "destination": "JFK"}, {}),
        ("in basic economy class", {"cabin": "basic_economy"}, {"cabin": "basic economy"}),
        ("it cost $1,250.50 then", {"amount": 1250.5}, {"amount": "$1,250.50"}),
        ("3 bags and 3 people", {"bags": 3}, {}),
        ("on 05/06/2024", {"date": "2024-05-06"}, {}),
        ("on 05/26/2024", {"date": "2024-05-26"}, {"date": "05/26/2024"}),
        ("am 20. Mai 2024", {"date": "2024-05-20"}, {"date": "20. Mai 2024"}),
        ("call (415) 555-2671", {"phone": "+4155552671"}, {"phone": "(415) 555-2671"}),
        ("I am Yusuf Rossi", {"name": "Yusuf Rossi", "first": "Yusuf"}, {"name": "Yusuf Rossi"}),
        ("yes, all of it", {"confirm": "yes", "scope": "all", "go": True}, {}),
        ("a note", {"query": "a note"}, {}),
    ],
)
def test_located_or_rejected_never_guessed(text: str, arguments: dict[str, Any], expected: dict[str, str]) -> None:
    """What stands once is found; what is ambiguous, short or composed by the agent is not."""
    contact = conversation(customer(text), agent(None, act=arguments), result("act", "ok"))
    found = cuts("entities", contact)
    assert (spans(found[0]) if found else {}) == expected


def test_arguments_of_failed_calls_teach_no_entities() -> None:
    """A call that failed, or was never answered, may have been given the wrong value."""
    asked = customer("from JFK"), agent(None, act={"origin": "JFK"})
    assert cuts("entities", conversation(*asked, result("act", "Error: bad"))) == []
    assert cuts("entities", conversation(*asked, result("act", '{"success": false}'))) == []
    assert cuts("entities", conversation(*asked)) == []
    assert cuts("entities", conversation(*asked, result("act", '{"success": true}'))) != []


@pytest.mark.parametrize(
    ("messages", "faults"),
    [
        ((agent(None, cancel={}),), ("tool_unanswered",)),
        ((agent(None, cancel={}), agent("Done.")), ("tool_unanswered",)),
        ((agent(None, cancel={}), result("cancel", "ok")), ()),
        ((agent(None, cancel={}), result("cancel", '{"success": false, "message": "not found"}')), ("tool_failed",)),
        ((agent(None, transfer_to_human_agents={}),), ()),
        ((agent(None, transfer_to_human_agents={}), customer("hello?")), ("tool_unanswered",)),
    ],
)
def test_an_unanswered_call_is_no_demonstration(messages: tuple[Any, ...], faults: tuple[str, ...]) -> None:
    """It says so, but for the hand-off that ends a contact: nobody is left to answer it."""
    first = cuts("tools", conversation(customer("please cancel it"), *messages))[0]
    assert first.faults == faults


def test_labelled_spans_outside_the_text_are_dropped() -> None:
    """An annotation that does not fit its message is no example."""
    good, bad = [{"start": 0, "end": 5, "label": "x"}], [{"start": 0, "end": 500, "label": "x"}]
    assert [
        c.target for c in cuts("entities", conversation(customer("hello"), labels=[label("entities", good, 0)]))
    ] == [good]
    assert cuts("entities", conversation(customer("hello"), labels=[label("entities", bad, 0)])) == []


def test_response_is_the_agents_text_in_its_context() -> None:
    """Every reply is cut with the turns before it, never with the system prompt or itself."""
    found = cuts("response", conversation(*SHOPPING, metadata=SHOP))
    assert [(c.turn, c.label) for c in found] == [(2, "ask"), (6, "ask"), (10, "answer")]
    assert all(c.input[0]["role"] != "system" and c.target not in str(c.input) for c in found)


def test_demonstration_replaces_the_reply() -> None:
    """What a person says would have been ideal is the target, from a person."""
    ideal = Feedback("correction", "demonstration", "All done. Anything else?", 10)
    found = {c.turn: c for c in cuts("response", conversation(*SHOPPING, feedback=(ideal,)))}
    assert (found[10].target, found[10].label_source) == ("All done. Anything else?", "person")


def test_tools_are_the_next_call_or_none() -> None:
    """Each decision of the agent is an example; a failed call says so."""
    contact = conversation(
        *SHOPPING, tools=[{"type": "function", "function": {"name": "get_order", "description": "x"}}]
    )
    found = cuts("tools", contact)
    assert [c.label for c in found] == ["none", "get_order", "none", "cancel_order", "none"]
    assert found[1].target == {"name": "get_order", "arguments": {"order_id": "#W2378156", "date": "2024-05-20"}}
    assert found[0].tools == [{"type": "function", "function": {"name": "get_order", "parameters": {}}}]
    failing = conversation(customer("find it"), agent(None, find={}), result("find", "Error: x"))
    assert cuts("tools", failing)[0].faults == ("tool_failed",)


def test_invalid_arguments_are_no_target() -> None:
    """A call that cannot be read is not taught."""
    broken = agent(None, find={})
    broken["tool_calls"][0]["function"]["arguments"] = "{"
    assert cuts("tools", conversation(customer("find it"), broken)) == []


def test_safety_comes_from_labels_verdicts_and_refusals() -> None:
    """Each source fills its own label set; silence is not safety."""
    text = "Tell me how to steal from you"
    labelled = conversation(customer(text), agent("No."), labels=[label("safety", ["crime"], 0, source="guardrail")])
    verdict = conversation(
        customer(text, content_filter_results={"hate": {"filtered": False}, "crime": {"filtered": True}})
    )
    refused = conversation(customer(text), agent("I'm sorry, but I can't help with that."))
    silent = conversation(customer(text))
    found = [
        [(c.target, c.label_set, c.label_source) for c in cuts("safety", x)]
        for x in (labelled, verdict, refused, silent)
    ]
    assert found == [
        [(["crime"], "safety:default", "guardrail")],
        [(["crime"], "guardrail:default", "guardrail")],
        [(["refused"], "refusals:default", "refusal")],
        [],
    ]


def test_windows_are_bounded_whatever_the_length() -> None:
    """Ten times the conversation gives no more and no longer examples."""
    long = conversation(*SHOPPING, *SHOPPING[1:] * 20)
    found = decompose(read(long))
    assert len(found) <= 4 + 6 + 6 + 8 + 4
    assert max(len(str(cut.input)) for cut in found) < 4_000


def test_empty_and_strange_messages_yield_nothing() -> None:
    """Contacts without words, and content that is no text, are no examples and no error."""
    image = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}
    assert decompose(read(conversation(image, agent("")))) == []
    assert decompose(read(conversation({"role": "system", "content": "s"}))) == []
