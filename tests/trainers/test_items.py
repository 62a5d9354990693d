"""Items from examples and from labelled data files."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.ids import text_hash
from schemas.split import split
from tests.trainers.made import ENTITIES, INTENT
from trainers.errors import InvalidItem
from trainers.items import choose, items_of_file, labels_of, render, window


def _file(folder: Path, *lines: dict[str, Any] | bytes) -> Path:
    path = folder / "tiny.jsonl"
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else orjson.dumps(line) for line in lines))
    return path


def test_render_ends_with_the_last_message_as_it_was_said() -> None:
    """Offsets into the last message stay offsets from the text's end."""
    messages = [
        {"role": "system", "content": "be kind"},
        {"role": "assistant", "content": "Which order?"},
        {"role": "user", "content": "LL-1"},
    ]
    assert render(messages, 2) == "assistant: Which order?\nLL-1"
    assert render(messages, 1) == "LL-1"


def test_render_spells_tool_calls_out() -> None:
    """An encoder sees which tool was called with what."""
    call = {"function": {"name": "find", "arguments": '{"id": 1}'}}
    assert render([{"role": "assistant", "content": None, "tool_calls": [call]}], 1) == 'assistant: find {"id": 1}'


def test_window_never_begins_with_a_tool_result() -> None:
    """A tool result without its call would break chat templates."""
    messages = [{"role": "assistant"}, {"role": "tool"}, {"role": "user"}]
    assert [message["role"] for message in window(messages, 2)] == ["user"]


def test_items_of_a_file_belong_to_the_track(tmp_path: Path) -> None:
    """Other tasks and label sets are left out; defaults come from the file's name and the text's hash."""
    path = _file(
        tmp_path,
        {"task": "intent", "text": "late", "target": "status", "id": "a"},
        {"task": "intent", "text": "late", "target": ["status", "money"], "split": "benchmark"},
        {"task": "intent", "text": "x", "target": "y", "label_set": "other"},
        {"task": "safety", "text": "x", "target": []},
    )
    first, second = items_of_file(path, INTENT)
    assert (first.id, first.label, first.split) == ("a", "status", split(text_hash("late")))
    assert (second.split, second.label) == ("benchmark", "money+status")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"{", "is no JSON"),
        (b"[]", "holds list, not an object"),
        (b'{"task": "intent", "text": "\xff"}', "is no UTF-8 text"),
        ({"task": "intents", "text": "x", "target": "y"}, "task='intents'"),
        ({"task": "safety", "text": "x", "target": "of another task"}, "no list of categories"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: dict[str, Any] | bytes, complaint: str) -> None:
    """file:line: what, of whatever task it is; the rules are those of an import."""
    good = {"task": "intent", "text": "late", "target": "status"}
    with pytest.raises(InvalidItem, match=r"tiny\.jsonl:2: ") as caught:
        items_of_file(_file(tmp_path, good, line), INTENT)
    assert complaint in str(caught.value)


def test_a_mark_of_byte_order_is_no_fault(tmp_path: Path) -> None:
    """Some editors write one; an import passes over it too."""
    line = b"\xef\xbb\xbf" + orjson.dumps({"task": "intent", "text": "late", "target": "status"})
    assert len(items_of_file(_file(tmp_path, line), INTENT)) == 1


def test_an_empty_customer_is_nobody(tmp_path: Path) -> None:
    """Lines whose export left the customer empty do not all belong to one."""
    lines = [{"task": "intent", "text": text, "target": "a", "customer_id": ""} for text in ("x", "y")]
    items = items_of_file(_file(tmp_path, *lines), INTENT)
    assert [item.customer for item in items] == [None, None]
    assert items[0].conversation_id != items[1].conversation_id


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    """No traceback for a wrong path."""
    with pytest.raises(InvalidItem, match="cannot be read"):
        items_of_file(tmp_path / "none.jsonl", ENTITIES)


def test_labels_of_every_task() -> None:
    """Empty targets have no label, in every task."""
    assert labels_of("tools", None) == labels_of("intent", []) == labels_of("safety", []) == ()
    assert labels_of("tools", {"name": "find", "arguments": {}}) == ("find",)
    assert labels_of("intent", ["b", "a", "b"]) == ("a", "b")


def test_choose_does_not_depend_on_order(tmp_path: Path) -> None:
    """The same items are chosen, in the same order, however they come."""
    lines = ({"task": "intent", "text": f"t{n}", "target": "a", "id": str(n)} for n in range(20))
    items = items_of_file(_file(tmp_path, *lines), INTENT)
    assert choose(items, 5, 1) == choose(items[::-1], 5, 1)
    assert choose(items, 5, 1) != choose(items, 5, 2)
