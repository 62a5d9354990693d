"""No string that a publisher may fill carries personal data into `conversations`, wherever in an event it stands."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from schemas import codec
from schemas.records import Conversation
from streams.assemble import Assembler
from streams.redact import redact
from streams.settings import AssembleSettings, RedactSettings
from streams.values import Arrived

SECRET = RedactSettings(b"a key for tests only, 32 bytes..")
ADDRESS = "mia@corp.com"
Path = tuple[str | int, ...]
MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": "Be kind", "name": "guide"},
    {"role": "developer", "content": [{"type": "text", "text": "Be brief"}]},
    {
        "role": "user",
        "name": "caller",
        "content": [
            {"type": "text", "text": "Look", "note": "n"},
            {"type": "image_url", "image_url": {"url": "https://a.b/c.png", "detail": "low"}},
            {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
            {"type": "file", "file": {"file_id": "f1", "filename": "f.pdf", "file_data": "aGk="}},
            "a bare part",
        ],
    },
    {
        "role": "assistant",
        "content": [{"type": "refusal", "refusal": "No"}, {"type": "thinking", "thinking": "Hm", "signature": "s"}],
        "refusal": "No",
        "reasoning_content": "Hm",
        "audio": {"id": "a1", "transcript": "No"},
        "annotations": [{"type": "url_citation", "url_citation": {"title": "t", "url": "u"}}],
        "function_call": {"name": "find", "arguments": "{}"},
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "note": "n",
                "function": {"name": "find", "arguments": "{}", "x": "y"},
            },
            {"id": "call_2", "type": "function", "function": {"name": "find", "arguments": {"of": ["whom"]}}},
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "name": "find", "content": "none"},
    {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": '{"found": "none"}'}]},
    {"role": "function", "name": "find", "content": '{"found": {"by": "name"}}', "error": {"message": "none"}},
    {"role": "user", "content": "Track order W12"},
]
LABELS: list[dict[str, Any]] = [
    {"task": "intent", "message": 7, "target": "track", "label_set": "shop", "source": "person", "note": "sure"},
    {"task": "intent", "message": 7, "target": ["track", "order"]},
    {"task": "safety", "message": 7, "target": ["abuse"], "comment": {"by": ["me"]}},
    {"task": "response", "message": 7, "target": "It is on its way"},
    {"task": "tools", "message": 7, "target": {"name": "find", "arguments": {"order": "W12"}}},
    {"task": "entities", "message": 7, "target": [{"start": 12, "end": 15, "label": "order", "value": "W12"}]},
    {"task": "entities", "message": 7, "target": "odd"},
]
EVENT: dict[str, Any] = {
    "event_id": "e1",
    "conversation_id": "c1",
    "kind": "conversation",
    "tenant": "acme",
    "customer_id": "customer-17",
    "agent": "bot",
    "variant": "a",
    "messages": MESSAGES,
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "find",
                "description": "Finds",
                "parameters": {"type": "object", "properties": {"of": {"type": "string", "enum": ["whom"]}}},
            },
        }
    ],
    "usage": [{"model": "m"}],
    "feedback": {"name": "comment", "kind": "comment", "value": "Fine"},
    "outcome": {"reason": "done"},
    "labels": LABELS,
    "metadata": {"source": "web"},
}
CHECKED = frozenset({"role", "kind", "task"})
"""What the edge takes from closed lists only: no free text, so it may stay verbatim. (`event_id` goes nowhere.)"""


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Where every free string of an event stands."""
    if isinstance(value, str):
        if path[-1] not in CHECKED:
            yield path
    elif isinstance(value, (dict, list)):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(inner, (*path, key))


def with_leaf(path: Path, said: str) -> dict[str, Any]:
    """The event with this said at a place; JSON in a text stays JSON there too."""
    event = copy.deepcopy(EVENT)
    inner: Any = event
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = said
    return event


def published(event: dict[str, Any]) -> Conversation:
    """What `conversations` gets of an event: through the edge, assembly, redaction and the codec."""
    key = event["conversation_id"].encode()
    arrived = Arrived(0, 0, key, orjson.dumps(event), {"content-type": b"application/json"})
    step = Assembler("k1", 0, AssembleSettings()).take(arrived)
    assert step.draft is not None, step.rejected
    return codec.decode(codec.encode(redact(step.draft, SECRET)), Conversation)


@pytest.mark.parametrize("path", [*paths(EVENT)], ids=lambda path: ".".join(map(str, path)))
def test_an_address_anywhere_is_gone(path: Path) -> None:
    """Alone, within words, in JSON within the text and as a key of it: the address does not come through."""
    for said in (ADDRESS, f"ask {ADDRESS}, please", json.dumps({"of": ADDRESS}), json.dumps({f"to {ADDRESS}": 1})):
        assert ADDRESS not in repr(published(with_leaf(path, said)))


@pytest.mark.parametrize("where", [("metadata",), ("labels", 0), ("messages", 7), ("messages", 2, "content", 0)])
def test_an_address_as_a_key_is_gone(where: Path) -> None:
    """Names of fields are the publisher's too."""
    assert ADDRESS not in repr(published(with_leaf((*where, ADDRESS), "x")))


def test_the_event_itself_comes_through() -> None:
    """Without anything personal nothing changes, so the law above is about what it seems to be about."""
    made = published(EVENT)
    assert (made.messages, made.labels, made.tools) == (MESSAGES, LABELS, EVENT["tools"])
    assert (made.conversation_id, made.tenant, made.agent, made.variant) == ("c1", "acme", "bot", "a")
    assert made.redactions == {}


@pytest.mark.parametrize("said", [ADDRESS, "0171 2345678", "call_1f"])
def test_calls_and_results_still_meet(said: str) -> None:
    """The id of a call and the one that its result names stay equal, whatever is in them."""
    event = with_leaf(("messages", 3, "tool_calls", 0, "id"), said)
    event["messages"][4]["tool_call_id"] = said
    made = published(event).messages
    assert made[4]["tool_call_id"] == made[3]["tool_calls"][0]["id"]
    assert (made[4]["tool_call_id"] == said) == (said == "call_1f")


def test_a_tool_keeps_one_name() -> None:
    """A tool is called by the name it is offered under."""
    event = with_leaf(("tools", 0, "function", "name"), ADDRESS)
    event["messages"][3]["tool_calls"][0]["function"]["name"] = ADDRESS
    made = published(event)
    assert made.tools is not None
    assert made.tools[0]["function"]["name"] == made.messages[3]["tool_calls"][0]["function"]["name"] != ADDRESS


def test_what_the_conversation_names_leaves_its_tools_too() -> None:
    """A customer who stands in the tools' words is replaced there as elsewhere."""
    made = published(with_leaf(("tools", 0, "function", "description"), "Finds for customer-17"))
    assert "customer-17" not in repr(made)


def test_one_contact_keeps_one_id() -> None:
    """A telephone number as a contact's id becomes a keyed hash that no other field changes."""
    event = with_leaf(("conversation_id",), "+49 171 2345678")
    other = {**event, "customer_id": None, "metadata": {}}
    assert published(event).conversation_id == published(other).conversation_id
    assert "2345678" not in repr(published(event))


def test_old_calls_name_people_too() -> None:
    """A name under a key of a function_call is personal wherever else it is said."""
    event = with_leaf(("messages", 3, "function_call", "arguments"), '{"first_name": "Mia"}')
    event["messages"][7]["content"] = "For Mia, please"
    assert "Mia" not in repr(published(event))


def test_pictures_stay_whole() -> None:
    """What is encoded in base64 is not searched for numbers."""
    picture = "data:image/png;base64," + "iVBO+4917123456780/" * 40 + "=="
    made = published(with_leaf(("messages", 2, "content", 1, "image_url", "url"), picture))
    assert made.messages[2]["content"][1]["image_url"]["url"] == picture
