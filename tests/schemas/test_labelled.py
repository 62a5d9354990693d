"""Labelled lines: one set of rules, whether a line is imported, held out or trained on directly."""

from typing import Any

import pytest

from schemas.errors import InvalidRecord
from schemas.labelled import Labelled, labelled_of


def _read(**line: Any) -> Labelled:
    return labelled_of({"task": "intent", "text": "Where is my card?", "target": "card_arrival", **line}, "cards")


def test_what_a_line_leaves_out_is_unknown() -> None:
    """Only its label set has a default of the caller's; text is a customer's message."""
    assert _read() == Labelled("intent", "cards", [{"role": "user", "content": "Where is my card?"}], "card_arrival")


def test_an_empty_name_is_none() -> None:
    """Lines whose export left the customer or the id empty do not all belong to one."""
    assert _read(id="", customer_id="", conversation_id="", label_set="") == _read()
    assert _read(id=0).id == "0"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ({"task": "mood"}, "task='mood' is not one of"),
        ({"target": ""}, "target='' of intent is neither a label"),
        ({"target": ["a", " "]}, "neither a label nor a list"),
        ({"task": "safety", "target": [""]}, "no list of categories"),
        ({"target": 3}, "neither a label nor a list"),
        ({"task": "entities", "target": [{"start": 3, "end": 99, "label": "x"}]}, "outside the text of 17"),
        ({"task": "entities", "target": [{"start": 3, "end": 2, "label": "x"}]}, "outside the text"),
        ({"task": "entities", "target": [{"start": 3}]}, "lacks start, end or label"),
        ({"task": "entities", "target": [{"start": True, "end": 4, "label": "x"}]}, "lacks start, end or label"),
        ({"task": "safety", "target": "hate"}, "no list of categories"),
        ({"task": "tools", "target": {"arguments": {}}}, "neither null nor"),
        ({"task": "response", "target": None}, "is no text"),
        ({"text": None}, "either 'text' or 'messages'"),
        ({"text": "  "}, "holds no words"),
        ({"split": "test"}, "split='test' is not one of"),
        ({"weight": "heavy"}, "weight='heavy' is no finite number"),
        ({"weight": 0}, "weight=0.0 is not above 0"),
        ({"customer_id": [1]}, r"customer_id=\[1\] is no text"),
        ({"label_set": 7}, "label_set=7 is no text"),
        ({"text": None, "messages": [{"role": "user", "content": 5}]}, "content=5"),
        ({"text": None, "messages": [{"role": "user", "tool_calls": [1]}]}, "tool_calls"),
        ({"task": "tools", "target": {"name": " "}}, "neither null nor"),
        ({"lable_set": "x"}, r"no field 'lable_set'='x'; did you mean 'label_set'\?"),
    ],
)
def test_a_wrong_line_is_named(line: dict[str, Any], told: str) -> None:
    """What is wrong with which value."""
    with pytest.raises(InvalidRecord, match=told):
        _read(**line)


def test_a_line_without_a_target_is_refused() -> None:
    """Absent is not the same as none."""
    with pytest.raises(InvalidRecord, match="lacks 'target'"):
        labelled_of({"task": "intent", "text": "x"}, "cards")
