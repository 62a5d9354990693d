"""The rules of the edge: what an event must be beyond its Avro types before anything downstream sees it.

Pure checks; each failure quotes the value and says what to do. Messages stay verbatim: only their form is checked.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from schemas.depth import quoted, refuse_deep
from schemas.errors import InvalidRecord
from schemas.logtime import LATEST_US
from schemas.records import TASKS, ConversationEvent, Feedback, FeedbackKind, Outcome, Usage

MAX_EVENT_BYTES = 1_000_000
"""Largest encoded event: the broker's own default limit of a message."""

FIRST_US, LAST_US = 0, LATEST_US + 999
"""1970-01-01 to the end of 2299-12-31, its last millisecond whole; a DateTime64 shows what lies beyond as another."""

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_FEEDBACK_TYPES: dict[str, type | tuple[type, ...]] = {
    "boolean": bool, "float": float, "comment": str, "demonstration": str,
}  # fmt: skip


def check(event: ConversationEvent) -> ConversationEvent:
    """The same event, if it keeps the rules.

    Raises:
        InvalidRecord: with the offending value.
    """
    refuse_deep(_held(event))
    return check_shallow(event)


def check_shallow(event: ConversationEvent) -> ConversationEvent:
    """The same for an event that is known not to nest deep.

    Raises:
        InvalidRecord: with the offending value.
    """
    for name in ("event_id", "conversation_id"):
        _check_id(name, getattr(event, name))
    if event.sequence is not None:
        _check_number("sequence", event.sequence)
        if event.sequence < 0:
            raise InvalidRecord(f"sequence={event.sequence} is negative; count from 0")
    for name in ("occurred_at", "started_at"):
        _check_time(name, getattr(event, name))
    _check_kind(event)
    if event.tools is not None and not isinstance(event.tools, list):
        raise InvalidRecord(f"tools={quoted(event.tools)} is no list of tool definitions; send null for unknown")
    for index, message in enumerate(event.messages):
        _check_message(index, message)
    for usage in event.usage:
        _check_usage(usage)
    _check_labels(event)
    return event


def _held(event: ConversationEvent) -> Iterator[tuple[str, Any]]:
    """What an event's fields hold, and those of the records in it, each under the name of the event's field."""
    for name in event.__match_args__:
        value = getattr(event, name)
        for one in value if isinstance(value, tuple) else (value,):
            yield name, [getattr(one, inner) for inner in getattr(one, "__match_args__", ())] or one


def feedback_kind(value: object) -> FeedbackKind | None:
    """What a value of feedback is if nobody says: true or false, a number, a comment; None = it can be no feedback."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "float"
    return "comment" if isinstance(value, str) else None


def _check_id(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise InvalidRecord(f"{name}={quoted(value)} is no text; write str(...) around it")
    if not value.strip():
        raise InvalidRecord(f"{name} is empty; give each event and conversation an id")


def _check_number(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidRecord(f"{name}={quoted(value)} is no number; send null for unknown")


def _check_time(name: str, time_us: Any) -> None:
    if time_us is None:
        return
    if not isinstance(time_us, int) or isinstance(time_us, bool):
        raise InvalidRecord(f"{name}={quoted(time_us)} is no whole number; give microseconds since the epoch, UTC")
    if not FIRST_US <= time_us <= LAST_US:
        raise InvalidRecord(
            f"{name}={time_us} lies outside 1970 to 2299; is it in microseconds since the epoch"
            " (in Python: time.time_ns() // 1000)?"
        )


def _check_kind(event: ConversationEvent) -> None:
    if not isinstance(event.messages, list):
        raise InvalidRecord(f"messages={quoted(event.messages)} is no list of chat messages")
    if event.kind in ("turn", "conversation") and not event.messages:
        raise InvalidRecord(f"kind={event.kind} without messages; send the chat messages it is about")
    if event.kind == "feedback" and event.feedback is None:
        raise InvalidRecord("kind=feedback without feedback; set its name, kind and value")
    if event.kind == "outcome" and event.outcome is None:
        raise InvalidRecord("kind=outcome without outcome; set success, reward or reason")
    if event.feedback is not None:
        _check_feedback(event.feedback)
    if event.outcome is not None:
        _check_outcome(event.outcome)


def _check_outcome(outcome: Outcome) -> None:
    _need("outcome", outcome, Outcome)
    if outcome.reward is not None:
        _check_number("outcome.reward", outcome.reward)
        if not _is_finite(outcome.reward):
            raise InvalidRecord(f"outcome.reward={outcome.reward} is no number; send null for unknown")


def _check_feedback(feedback: Feedback) -> None:
    _need("feedback", feedback, Feedback)
    if not isinstance(feedback.kind, str) or feedback.kind not in _FEEDBACK_TYPES:
        raise InvalidRecord(
            f"feedback {quoted(feedback.name)}: kind={quoted(feedback.kind)} is not one of {', '.join(_FEEDBACK_TYPES)}"
        )
    if not isinstance(feedback.value, _FEEDBACK_TYPES[feedback.kind]):
        raise InvalidRecord(
            f"feedback {quoted(feedback.name)}: value={_plain(feedback.value):.80} is no {feedback.kind}"
        )
    if isinstance(feedback.value, float) and not _is_finite(feedback.value):
        raise InvalidRecord(f"feedback {quoted(feedback.name)}: value={feedback.value} is no number")


def _check_message(index: int, message: Any) -> None:
    if not isinstance(message, dict):
        raise InvalidRecord(f"messages[{index}]={quoted(message)} is no object")
    if message.get("role") not in ROLES:
        raise InvalidRecord(f"messages[{index}].role={quoted(message.get('role'))} is not one of {', '.join(ROLES)}")
    content = message.get("content")
    if content is not None and not isinstance(content, (str, list)):
        raise InvalidRecord(f"messages[{index}].content={quoted(content)} is neither text, parts nor null")
    calls = message.get("tool_calls")
    if calls is not None and not isinstance(calls, list):
        raise InvalidRecord(f"messages[{index}].tool_calls={quoted(calls)} is no list")
    for call in calls or ():
        _check_tool_call(index, call)


def _check_tool_call(index: int, call: Any) -> None:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise InvalidRecord(f"messages[{index}].tool_calls: {quoted(call, 120)} lacks function.name")


def _check_usage(usage: Usage) -> None:
    _need("usage", usage, Usage)
    for name in ("prompt_tokens", "completion_tokens", "cached_tokens", "cost_usd", "latency_ms"):
        value = getattr(usage, name)
        if value is not None:
            _check_number(f"usage.{name}", value)
            if not (_is_finite(value) and value >= 0):
                raise InvalidRecord(f"usage.{name}={_plain(value)} must be a finite number >= 0, or null for unknown")


def _check_labels(event: ConversationEvent) -> None:
    if not isinstance(event.labels, list):
        raise InvalidRecord(f"labels={quoted(event.labels)} is no list")
    for label in event.labels:
        if not isinstance(label, dict) or label.get("task") not in TASKS or "target" not in label:
            raise InvalidRecord(f"label {quoted(label, 120)} needs a task ({', '.join(TASKS)}) and a target")
        if not isinstance(label.get("message", 0), int) or not 0 <= label.get("message", 0) < max(
            1, len(event.messages)
        ):
            raise InvalidRecord(f"label {quoted(label, 120)} names no message of this event")


def _need(name: str, value: Any, kind: type) -> None:
    """A service may hand over anything; a dict has fields that nobody looked at."""
    if not isinstance(value, kind):
        raise InvalidRecord(f"{name}={quoted(value)} is no {kind.__name__}; write {kind.__name__}(...) with its fields")


def _is_finite(value: float) -> bool:
    """Whether a double holds it: Python's whole numbers know no end."""
    return abs(value) <= sys.float_info.max


def _plain(value: Any) -> str:
    """A value as its writer wrote it: JSON's 5 became 5.0 on its way to an Avro double."""
    return repr(int(value)) if isinstance(value, float) and value.is_integer() else quoted(value)
