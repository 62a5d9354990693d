"""Foreign files: a broken place is named and costs nothing else; large conversations are cut and compose again."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import codec
from schemas.records import ConversationEvent, Messages, Outcome, Provenance, Usage
from streams.compose import Placed, compose
from streams.errors import EventTooLarge, ImportFault
from streams.importers.audit import audit
from streams.importers.customers import customer_of
from streams.importers.event_lines import events_of
from streams.importers.openai_chat import read_openai_chat
from streams.importers.source import Found, events_in, files_of, parse_lines
from streams.importers.split import fitting
from streams.importers.tau2_bench import read_tau2_bench
from streams.importers.tau_bench import read_tau_bench
from streams.importers.wrapped import unwrapped, wraps

HELLO = [{"role": "user", "content": "Hello"}]
ROOT = Provenance("c", "conversation.events", 0, 0)


def _faults(items: Any) -> list[str]:
    return [str(item) for item in items if isinstance(item, ImportFault)]


def _events(items: Any) -> list[ConversationEvent]:
    return list(events_in(items))


def test_broken_lines_of_a_chat_file_are_named(tmp_path: Path) -> None:
    """`file:line: what` for each, and every good line arrives."""
    file = tmp_path / "chats.jsonl"
    lines = [
        orjson.dumps({"messages": HELLO, "id": "a", "tools": []}),
        b'{"messages": [',
        b"[1]",
        b"\xff\xfe",
        orjson.dumps({"id": "b"}),
        orjson.dumps({"messages": [{"role": "robot", "content": "x"}]}),
        orjson.dumps({"messages": []}),
        b"",
        orjson.dumps({"messages": HELLO}),
    ]
    file.write_bytes(b"\n".join(lines))
    found = list(read_openai_chat(file))
    assert [event.conversation_id.split("/")[0] for event in _events(found)] == ["chats", "chats"]
    told = _faults(found)
    assert [fault.split(": ")[0] for fault in told] == [f"{file}:{n}" for n in (2, 3, 4, 5, 6, 7)]
    assert "lacks 'messages'" in told[3]
    assert "role='robot'" in told[4]


def test_events_in_their_json_form_are_read() -> None:
    """What `to_json` writes is read back; an id is made where there is none; wrong values are named."""
    event = ConversationEvent("e", "c", "turn", messages=HELLO, usage=(Usage(cost_usd=1.0),))
    lines = [
        orjson.dumps(codec.to_json(event)),
        orjson.dumps({"conversation_id": "c", "kind": "closed"}),
        orjson.dumps({"conversation_id": "c", "kind": "shrug"}),
        orjson.dumps({"kind": "closed"}),
        orjson.dumps({"conversation_id": "c", "kind": "closed", "colour": 1}),
        orjson.dumps({"conversation_id": "c", "kind": "feedback", "feedback": {"name": "csat", "value": 5, "by": "a"}}),
    ]
    found = list(events_of("in", parse_lines("in", lines)))
    assert found[0] == Found(event, "in", 1)
    assert len(_events(found)[1].event_id) == 32
    told = _faults(found)
    assert "in:3: ConversationEvent: kind='shrug' is not one of turn" in told[0]
    assert "in:4: ConversationEvent lacks conversation_id" in told[1]
    assert "no field 'colour'=1" in told[2]
    assert "in:6: feedback has no field 'by'='a'" in told[3]


@given(st.binary(max_size=200))
def test_random_bytes_never_end_an_import(data: bytes) -> None:
    """Whatever a line holds, it is an event or a fault."""
    for item in events_of("in", parse_lines("in", data.split(b"\n"))):
        assert isinstance(item, (Found, ImportFault))


@pytest.mark.parametrize("read", [read_tau_bench, read_tau2_bench])
@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"[1, 2]", b'"text"', b"null", b"\x00\x01"])
def test_a_file_of_another_format_is_said(tmp_path: Path, read: Any, content: bytes) -> None:
    """No traceback: the file and what was expected."""
    file = tmp_path / "wrong.json"
    file.write_bytes(content)
    try:
        told = _faults(read(file))
    except ImportFault as fault:
        told = [str(fault)]
    assert told
    assert all(str(file) in fault for fault in told)


def _simulation(**changed: Any) -> dict[str, Any]:
    messages = [
        {"role": "assistant", "content": "Hi! How can I help you today?", "cost": 0.0, "usage": None},
        {
            "role": "user",
            "content": None,
            "tool_calls": [{"id": "u", "name": "toggle", "arguments": {}, "requestor": "user"}],
        },
        {"role": "tool", "id": "u", "content": "ok", "requestor": "user", "error": False},
        {"role": "assistant", "content": "Done", "usage": {"prompt_tokens": 9, "completion_tokens": 1}, "cost": 0.1},
    ]
    plain = {"id": "s", "start_time": "2025-01-01T00:00:00", "duration": 1.0, "messages": messages}
    return {**plain, "agent_cost": 0.1, "reward_info": {"reward": 1.0}, **changed}


def _tau2(tmp_path: Path, *simulations: dict[str, Any]) -> list[Any]:
    file = tmp_path / "run.json"
    file.write_bytes(orjson.dumps({"info": {"agent_info": {"llm": "m"}}, "tasks": [], "simulations": simulations}))
    return list(read_tau2_bench(file))


def test_calls_of_the_customers_own_device_are_marked(tmp_path: Path) -> None:
    """A customer's call and its result say so; the agent's figures count without the canned greeting."""
    (event,) = _events(_tau2(tmp_path, _simulation()))
    assert event.messages[1]["tool_calls"][0]["requestor"] == "user"
    assert event.messages[2] == {
        "role": "tool", "tool_call_id": "u", "name": "toggle", "content": "ok", "error": False, "requestor": "user",
    }  # fmt: skip
    assert event.usage == (
        Usage(3, "m", 9, 1, None, 0.1),
        Usage(None, "m", 9, 1, None, 0.1, 1000.0),
    )


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"id": None}, "id=None is no text"),
        ({"messages": None}, "messages=None is no list"),
        ({"agent_cost": "free"}, "agent_cost='free' is no finite number"),
        ({"start_time": "soon"}, "start_time='soon' is no ISO time"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "1"}]}]}, "lacks 'name'"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "lacks 'id'"),
        ({"messages": ["x"]}, "expected an object"),
    ],
)
def test_one_broken_simulation_costs_no_other(tmp_path: Path, changed: dict[str, Any], told: str) -> None:
    """It is named by its index; the other arrives."""
    found = _tau2(tmp_path, _simulation(), _simulation(**changed))
    assert len(_events(found)) == 1
    (fault,) = _faults(found)
    assert "simulation 1: " in fault
    assert told in fault


def test_a_missing_path_and_an_empty_folder_are_said(tmp_path: Path) -> None:
    """What was looked for, and what to do."""
    with pytest.raises(ImportFault, match="is not there"):
        files_of([tmp_path / "none"], (".json",))
    with pytest.raises(ImportFault, match=r"holds no \.json file"):
        files_of([tmp_path], (".json",))


@pytest.mark.parametrize(
    ("stated", "looked_up", "customer"),
    [
        ({"mia_li_3668"}, None, "mia_li_3668"),
        (set(), "mia_li_3668", "mia_li_3668"),
        ({"mia_li_3668"}, "raj_lee_1234", None),
        ({"mia_li_3668", "raj_lee_1234"}, "mia_li_3668", "mia_li_3668"),
        (set(), "Error: user not found", None),
    ],
)
def test_a_customer_is_named_only_where_evidence_agrees(
    stated: set[str], looked_up: str | None, customer: str | None
) -> None:
    """The task's word and successful lookups; two people are nobody."""
    call = {"id": "1", "function": {"name": "find_user_id_by_email", "arguments": "{}"}}
    lookup: Messages = [
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": looked_up},
    ]
    assert customer_of(lookup if looked_up else [], stated) == customer


def test_unwrapping_is_the_agents_habit_not_one_messages() -> None:
    """Most texts must be objects; a call in words stays."""
    wrapped = {"role": "assistant", "content": '{"message": "Hello", "options": ["a", {"b_c": 1}]}'}
    plain = {"role": "assistant", "content": "Hello"}
    assert wraps([wrapped, wrapped, plain])
    assert not wraps([wrapped, plain, plain])
    assert unwrapped(wrapped["content"]) == "Hello\n\noptions:\n  - a\n  -:\n    b c: 1"
    assert unwrapped('{"name": "f", "arguments": {}}') == '{"name": "f", "arguments": {}}'
    assert unwrapped('{"message": ') == '{"message": '


@given(st.lists(st.text(max_size=8), min_size=1, max_size=12), st.integers(1500, 1900))
def test_a_large_conversation_composes_again(texts: list[str], max_bytes: int) -> None:
    """Cut into turns and a close, it says what it said whole."""
    messages = [{"role": "assistant", "content": text * 20} for text in texts]
    usage = (Usage(len(texts) - 1, cost_usd=0.5), Usage(None, cost_usd=1.0))
    labels = [{"task": "intent", "message": len(texts) - 1, "target": "x"}]
    whole = ConversationEvent(
        "e", "c", "conversation", 0, messages=messages, usage=usage, labels=labels, outcome=Outcome(success=True)
    )
    parts = fitting(whole, max_bytes)
    draft = compose([Placed(offset, part) for offset, part in enumerate(parts)], 1, ROOT)
    assert draft is not None
    assert (draft.messages, draft.usage, draft.labels) == (messages, usage, labels)
    assert draft.outcome == Outcome(success=True)
    assert all(len(codec.encode(part)) <= max_bytes for part in parts)
    assert fitting(whole) == [whole]


@pytest.mark.parametrize("size", [1_400_000, 999_900])
def test_a_conversation_of_which_a_part_fits_nowhere_is_no_event_at_all(size: int) -> None:
    """Without that part the others would be a contact with a hole; the limit is the publisher's, to the byte."""
    messages = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y" * size}]
    with pytest.raises(EventTooLarge, match=r"conversation c .* 1 of its messages would make one of \d+; nothing"):
        fitting(ConversationEvent("e", "c", "conversation", 0, messages=messages))


def test_a_contact_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    """Its first place is named; figures are of contacts, as they will be in the tables, across files."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        lines = [{"messages": HELLO, "id": 1}, {"messages": HELLO, "id": folder}, {"messages": HELLO, "id": 1}]
        (tmp_path / folder / "chats.jsonl").write_bytes(b"\n".join(map(orjson.dumps, lines)))
    places: dict[str, str] = {}
    files = [tmp_path / folder / "chats.jsonl" for folder in ("a", "b")]
    first, second = (audit(file.name, read_openai_chat(file), places) for file in files)
    assert (first.conversations, first.messages, second.conversations) == (2, 2, 1)
    assert first.repeats == [f"{files[0]}:3: is contact chats/1 again, as in {files[0]}:1"]
    assert [repeat.split(": ")[0] for repeat in second.repeats] == [f"{files[1]}:1", f"{files[1]}:3"]


@pytest.mark.parametrize("behind", [b"a\0b\n", b"\0\0\0\0\n", b"\xff\xfea\0\n"])
def test_a_bad_byte_costs_its_line_only(tmp_path: Path, behind: bytes) -> None:
    """A file whose first line is good is read line by line, as standard input is."""
    file = tmp_path / "chats.jsonl"
    good = orjson.dumps({"messages": HELLO, "id": 1}) + b"\n"
    file.write_bytes(good + behind + good.replace(b"1", b"2"))
    found = list(read_openai_chat(file))
    assert len(_events(found)) == 2
    (fault,) = _faults(found)
    assert fault.startswith(f"{file}:2: is no ")


@pytest.mark.parametrize("form", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_another_encoding_is_a_fault_of_the_file(tmp_path: Path, form: str) -> None:
    """No line of it could be read: one fault instead of one a line."""
    file = tmp_path / "chats.jsonl"
    file.write_bytes(('{"messages": []}\n' * 9).encode(form))
    with pytest.raises(ImportFault, match="is no UTF-8 text: it begins"):
        list(read_openai_chat(file))


@pytest.mark.parametrize(
    ("read", "content"),
    [
        (read_tau_bench, b"[]"),
        (read_tau2_bench, b'{"info": {}, "tasks": [], "simulations": []}'),
        (read_openai_chat, b"\n"),
    ],
)
def test_a_file_without_a_conversation_is_a_mistake(tmp_path: Path, read: Any, content: bytes) -> None:
    """Nobody imports nothing on purpose."""
    file = tmp_path / "empty.json"
    file.write_bytes(content)
    try:
        told = _faults(read(file))
    except ImportFault as fault:
        told = [str(fault)]
    assert len(told) == 1
    assert "empty" in told[0]
