"""Events are built as they were said, numbered without gaps, and named by their content."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import codec
from schemas.errors import InvalidRecord
from schemas.records import ConversationEvent, Feedback, Outcome, Usage
from streams.chat import usage_of
from streams.errors import EventTooLarge
from streams.events import EventBuilder, feedback_of

HELLO = [{"role": "user", "content": "Hello"}]


class Completion:
    """Stands for an object of the openai client: it knows how to dump itself."""

    def model_dump(self, *, mode: str, exclude_unset: bool) -> dict[str, Any]:
        """What the API sent."""
        assert (mode, exclude_unset) == ("json", True)
        return {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"name": "f"}}]}


@given(st.lists(st.text(max_size=20), min_size=1, max_size=5))
def test_messages_travel_verbatim(texts: list[str]) -> None:
    """What was said is what arrives, whatever characters it has."""
    messages = [{"role": "user", "content": text} for text in texts]
    event = EventBuilder("acme").build("turn", "c", messages)
    assert codec.decode(codec.encode(event), ConversationEvent).messages == messages


def test_objects_of_the_openai_client_become_plain_messages() -> None:
    """A completion message is dumped as the API sent it."""
    event = EventBuilder().build("turn", "c", [*HELLO, Completion()])
    assert event.messages[1]["tool_calls"][0]["function"] == {"name": "f"}


def test_events_count_from_zero_in_each_conversation() -> None:
    """Numbers are per conversation; a close forgets it."""
    builder = EventBuilder()
    numbers = [builder.build("turn", name, HELLO).sequence for name in "abaab"]
    assert numbers == [0, 0, 1, 2, 1]
    assert builder.build("closed", "a").sequence == 3
    assert builder.build("turn", "a", HELLO).sequence == 0


def test_a_given_number_is_gone_on_from() -> None:
    """A service that resumes a contact names the number once."""
    builder = EventBuilder()
    assert builder.build("turn", "a", HELLO, sequence=7).sequence == 7
    assert builder.build("closed", "a").sequence == 8


def test_memory_of_open_conversations_is_bounded() -> None:
    """Beyond the limit the longest silent is forgotten, and what is not held gets no number instead of a wrong one."""
    builder = EventBuilder(max_open=2)
    for name in "abc":
        builder.build("turn", name, HELLO)
    assert builder.build("turn", "a", HELLO).sequence is None
    assert builder.build("turn", "c", HELLO).sequence == 1


def test_a_refused_event_leaves_no_gap() -> None:
    """Neither a broken nor an oversized event takes a number."""
    builder = EventBuilder()
    with pytest.raises(EventTooLarge, match="send its messages as several turns"):
        builder.build("turn", "a", [{"role": "user", "content": "x" * 1_000_001}])
    with pytest.raises(InvalidRecord):
        builder.build("turn", "a", [{"role": "nobody", "content": "x"}])
    assert builder.build("turn", "a", HELLO).sequence == 0


def test_ids_are_the_content() -> None:
    """The same program makes the same ids; the same words said twice are two events."""

    def ids() -> list[str]:
        builder = EventBuilder("acme")
        return [builder.build("turn", "a", HELLO).event_id for _ in range(2)]

    assert ids() == ids()
    assert len(set(ids())) == 2
    assert EventBuilder().build("turn", "a", HELLO, event_id="mine").event_id == "mine"


@pytest.mark.parametrize(("value", "kind"), [(True, "boolean"), (4, "float"), (0.5, "float"), ("nice", "comment")])
def test_feedback_is_what_its_value_is(value: float | bool | str, kind: str) -> None:
    """True or false, a number, a comment; a demonstration must be named."""
    assert feedback_of("thumbs", value).kind == kind
    assert feedback_of("better", "Say it so.", "demonstration").kind == "demonstration"


def test_a_kind_of_feedback_that_there_is_not_is_named() -> None:
    """What a service gives is said back to it, with what there is."""
    with pytest.raises(InvalidRecord, match="kind='stars' is not one of boolean, float, comment, demonstration"):
        EventBuilder().build("feedback", "a", (), feedback_of("csat", 5, "stars"))  # type: ignore[arg-type]


def test_usage_is_read_from_a_completion() -> None:
    """Tokens, cached ones and model as the API says; what it does not say stays null."""
    raw = {
        "model": "m",
        "usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 5}},
    }
    assert usage_of(raw, message=1, latency_ms=12.5) == Usage(1, "m", 9, 2, 5, None, 12.5)
    assert usage_of({}) == Usage()


@pytest.mark.parametrize(
    ("conversation_id", "messages", "told"),
    [
        (17, HELLO, "conversation_id=17 is no text"),
        ("", HELLO, "conversation_id is empty"),
        ("a", [], "without messages"),
        ("a", {"role": "user"}, "is no list of chat messages"),
        ("a", "hello", "is no list of chat messages"),
        ("a", ["hello"], r"messages\[0\]='hello' is neither a dict"),
        ("a", [{"role": "assistant", "tool_calls": [{"id": "1"}]}], "lacks function.name"),
    ],
)
def test_mistakes_are_named(conversation_id: Any, messages: Any, told: str) -> None:
    """What is wrong with which value."""
    with pytest.raises(InvalidRecord, match=told):
        EventBuilder().build("turn", conversation_id, messages)


def test_nothing_that_is_no_number_passes_as_one() -> None:
    """NaN in usage and a list as feedback are refused."""
    with pytest.raises(InvalidRecord, match="cost_usd=nan"):
        EventBuilder().build("turn", "a", HELLO, usage=Usage(cost_usd=float("nan")))
    with pytest.raises(InvalidRecord, match="no true or false, number or text"):
        feedback_of("thumbs", [1])  # type: ignore[arg-type]


def test_a_detail_that_no_event_has_is_named() -> None:
    """A slip of the pen must not lose whose contact it is; one that is refused leaves no gap."""
    builder = EventBuilder()
    with pytest.raises(InvalidRecord, match="kind turn has no field 'custmer_id'='x'; did you mean 'customer_id'"):
        builder.build("turn", "a", HELLO, custmer_id="x")  # type: ignore[call-arg]
    assert builder.build("turn", "a", HELLO).sequence == 0


MISTAKEN: list[tuple[dict[str, Any], str]] = [
    ({"usage": None}, "usage=None is no Usage"),
    ({"usage": Usage(prompt_tokens="x")}, "usage.prompt_tokens='x' is no number"),  # type: ignore[arg-type]
    ({"usage": Usage(cost_usd=True)}, "usage.cost_usd=True is no number"),
    ({"usage": Usage(prompt_tokens=10**400)}, "usage.prompt_tokens=1000.* must be a finite"),
    ({"usage": Usage(cost_usd=10**400)}, "usage.cost_usd=1000.* must be a finite"),
    ({"outcome": Outcome(reward="x")}, "outcome.reward='x' is no number"),  # type: ignore[arg-type]
    ({"feedback": Feedback("n", ["list"], 1.0, None)}, r"kind=\['list'\] is not one of"),  # type: ignore[arg-type]
    ({"feedback": Feedback(["n"], "float", 1.0)}, r"feedback.name=\['n'\] is not text"),  # type: ignore[arg-type]
    ({"event_id": 7}, "event_id=7 is no text"),
    ({"sequence": "1"}, "sequence='1' is no number"),
    ({"tools": 1}, "tools=1 is no list of definitions"),
    ({"labels": None}, "labels=None is no list of labels"),
    ({"labels": ["a"]}, r"labels\[0\]='a' is neither a dict"),
    ({"metadata": None}, "metadata=None is neither a dict"),
    ({"metadata": {"a": 1}}, r"metadata\['a'\]=1 is not text"),
    ({"messages": 5}, "messages=5 is no list of chat messages"),
    ({"messages": [{"role": ["user"]}]}, r"messages\[0\].role=\['user'\] is not one of"),
    ({"labels": [{"task": ["intent"], "target": 1}]}, "needs a task"),
    ({"kind": ["turn"]}, r"kind=\['turn'\] is not one of"),
]


@pytest.mark.parametrize(("detail", "told"), MISTAKEN, ids=lambda value: value if isinstance(value, str) else "")
def test_a_value_of_another_type_is_named(detail: dict[str, Any], told: str) -> None:
    """Python takes anything for anything: each is refused with its field and its value, never by a bare TypeError."""
    with pytest.raises(InvalidRecord, match=told):
        EventBuilder().build(**{"kind": "turn", "conversation_id": "a", "messages": HELLO, **detail})


@pytest.mark.parametrize(
    ("detail", "told"),
    [
        ({"usage": {"prompt_tokens": 1}}, r"usage={'prompt_tokens': 1} is no Usage; write Usage\(...\)"),
        ({"usage": [{"prompt_tokens": 1}]}, r"usage={'prompt_tokens': 1} is no Usage"),
        ({"outcome": {"succes": True}}, r"outcome={'succes': True} is no Outcome"),
        ({"feedback": {"name": "csat"}}, r"feedback={'name': 'csat'} is no Feedback"),
    ],
)
def test_a_dict_in_the_place_of_a_record_is_named(detail: dict[str, Any], told: str) -> None:
    """Its fields were checked by nobody."""
    with pytest.raises(InvalidRecord, match=told):
        EventBuilder().build("turn", "a", HELLO, **detail)
