"""A conversation read once for scoring and cutting: texts, tool calls with their arguments, results by call.

A view without judgement: it repeats what is there, parsed. Every later step shares it, so nothing is parsed twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from schemas.depth import is_deeper
from schemas.messages import text_of
from schemas.records import Conversation, Message

Speaker = Literal["customer", "agent", "tool", "system"]
_MAY_SAY_ERROR = re.compile(r'"error"|"failed"|"success"\s*:\s*false')
"""In what answers without it there is no failure to parse for."""

_SPEAKERS: dict[str, Speaker] = {"user": "customer", "assistant": "agent", "tool": "tool", "function": "tool"}


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call: the message that made it, its arguments, its result (None = none came).

    Arguments that are no JSON object, or one that nests too deep to be walked, are None.
    """

    index: int
    name: str
    raw: str
    arguments: dict[str, Any] | None
    result: str | None
    failed: bool


@dataclass(frozen=True, slots=True)
class Turn:
    """One message with who spoke and what they said."""

    index: int
    speaker: Speaker
    text: str
    message: Message
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Transcript:
    """A conversation, turn by turn; `turns[i]` is `messages[i]`."""

    conversation: Conversation
    turns: tuple[Turn, ...]
    customer: tuple[Turn, ...]
    agent: tuple[Turn, ...]
    calls: tuple[Call, ...]


def read(conversation: Conversation) -> Transcript:
    """The transcript of a conversation."""
    messages = conversation.messages
    results = dict(_results(messages))
    turns = tuple(_turn(i, message, results) for i, message in enumerate(messages))
    return Transcript(
        conversation=conversation,
        turns=turns,
        customer=tuple(turn for turn in turns if turn.speaker == "customer"),
        agent=tuple(turn for turn in turns if turn.speaker == "agent"),
        calls=tuple(call for turn in turns for call in turn.calls),
    )


def _turn(index: int, message: Message, results: dict[tuple[int, int], Message]) -> Turn:
    speaker = _SPEAKERS.get(message["role"], "system")
    calls = message.get("tool_calls") if speaker == "agent" else None
    found = tuple(_call(index, call, results.get((index, n))) for n, call in enumerate(calls)) if calls else ()
    return Turn(index, speaker, text_of(message), message, found)


def _results(messages: list[Message]) -> Iterator[tuple[tuple[int, int], Message]]:
    """Result messages by (message, position) of their call: ids come again, so each looks back to its nearest."""
    waiting: dict[str, list[tuple[int, int]]] = {}
    for i, message in enumerate(messages):
        role = message["role"]
        if role == "assistant":
            for n, call in enumerate(message.get("tool_calls") or ()):
                waiting.setdefault(str(call.get("id")), []).append((i, n))
        elif role in ("tool", "function") and (open_calls := waiting.get(str(message.get("tool_call_id")))):
            yield open_calls.pop(), message


def _call(index: int, call: dict[str, Any], result: Message | None) -> Call:
    function = call["function"]
    raw = function.get("arguments")
    text = raw if isinstance(raw, str) else "" if raw is None else orjson.dumps(raw).decode()
    answer = None if result is None else text_of(result)
    failed = answer is not None and (_says_error(answer) or bool(result and result.get("error")))
    return Call(index, function["name"], text, _arguments(text), answer, failed)


def _arguments(text: str) -> dict[str, Any] | None:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) and not is_deeper(value) else None


def _says_error(result: str) -> bool:
    """Whether a tool's answer is a failure: text that begins with one, or an object that says so itself."""
    head = result[:200].lstrip().lower()
    if head.startswith(("error", "exception", "traceback", "failed", "failure")):
        return True
    if not head.startswith("{") or not _MAY_SAY_ERROR.search(result):
        return False
    try:
        value = orjson.loads(result)
    except orjson.JSONDecodeError:
        return False
    return bool(value.get("error")) or value.get("success") is False or value.get("status") in ("error", "failed")
