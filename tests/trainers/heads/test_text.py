"""Targets as text and back: the production case of one causal base for every task."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Task
from trainers.heads.text import instructions, read_target, write_target

LABEL = st.text("abcdefgh_", min_size=1, max_size=8).filter(lambda label: label != "none")
TEXT = [{"role": "user", "content": "red lamp and red lamp on monday"}]


@given(st.one_of(LABEL, st.lists(LABEL, unique=True).map(sorted).filter(lambda labels: len(labels) != 1)))
def test_intents_read_back(target: Any) -> None:
    """One label is a string, several or none a list."""
    assert read_target("intent", write_target("intent", target, TEXT), TEXT) == target


@given(st.lists(LABEL, unique=True).map(sorted))
def test_categories_read_back(target: list[str]) -> None:
    """Safety is always a list."""
    assert read_target("safety", write_target("safety", target, TEXT), TEXT) == target


@given(st.none() | st.fixed_dictionaries({"name": LABEL, "arguments": st.dictionaries(LABEL, st.integers(0, 9))}))
def test_calls_read_back(target: Any) -> None:
    """No tool is none; a call keeps name and arguments."""
    assert read_target("tools", write_target("tools", target, TEXT), TEXT) == target


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8), LABEL), max_size=4))
def test_spans_read_back(drawn: list[tuple[int, int, str]]) -> None:
    """A span is quoted with its occurrence, so that the second `red lamp` stays the second."""
    length = len(TEXT[0]["content"])
    target = [{"start": start, "end": min(length, start + size), "label": label} for start, size, label in drawn]
    assert read_target("entities", write_target("entities", target, TEXT), TEXT) == target


@pytest.mark.parametrize(
    ("task", "text", "read"),
    [
        ("tools", "{broken", {"name": "{broken", "arguments": None}),
        ("tools", "null", {"name": "null", "arguments": None}),
        ("entities", "none of them", None),
        ("entities", '[{"text": "blue", "label": "x"}]', []),
        ("entities", '[{"text": "red", "occurrence": 7}, 3]', []),
    ],
)
def test_what_is_no_answer_equals_no_target(task: Task, text: str, read: Any) -> None:
    """A model may say anything; it is read without an error, and as no valid target."""
    assert read_target(task, text, TEXT) == read


def test_only_response_needs_no_instruction() -> None:
    """The prompt names the task and its labels."""
    assert instructions("response", ()) == []
    assert "a, b" in instructions("intent", ("a", "b"))[0]["content"]


@pytest.mark.parametrize("depth", [65, 300, 1000])
def test_a_call_that_nests_too_deep_is_no_answer(depth: int) -> None:
    """A model may say anything: what cannot be compared or written is its text as a name, as any unreadable call."""
    text = '{"name": "a", "arguments": ' + '{"a":' * depth + "1" + "}" * depth + "}"
    assert read_target("tools", text, TEXT) == {"name": text, "arguments": None}
