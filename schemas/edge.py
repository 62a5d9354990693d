"""The rules of the edge: what an event must be beyond its Avro types before anything downstream sees it.

Pure checks; each failure quotes the value and says what to do. Messages stay verbatim: only their form is checked.
"""

from __future__ import annotations

import math
from typing import Any

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
    for name in ("event_id", "conversation_id"):
        if not getattr(event, name).strip():
            raise InvalidRecord(f"{name} is empty; give each event and conversation an id")
    if event.sequence is not None and event.sequence < 0:
        raise InvalidRecord(f"sequence={event.sequence} is negative; count from 0")
    for name in ("occurred_at", "started_at"):
        _check_time(name, getattr(event, name))
    _check_kind(event)
    for index, message in enumerate(event.messages):
        _check_message(index, message)
    for usage in event.usage:
        _check_usage(usage)
    _check_labels(event)
    return event


def feedback_kind(value: object) -> FeedbackKind | None:
    """What a value of feedback is if nobody says: true or false, a number, a comment; None = it can be no feedback."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "float"
    return "comment" if isinstance(value, str) else None


def _check_time(name: str, time_us: Any) -> None:
    if time_us is None:
        return
    if not isinstance(time_us, int) or isinstance(time_us, bool):
        raise InvalidRecord(f"{name}={time_us!r:.80} is no whole number; give microseconds since the epoch, UTC")
    if not FIRST_US <= time_us <= LAST_US:
        raise InvalidRecord(
            f"{name}={time_us} lies outside 1970 to 2299; is it in microseconds since the epoch"
            " (in Python: time.time_ns() // 1000)?"
        )


def _check_kind(event: ConversationEvent) -> None:
    if not isinstance(event.messages, list):
        raise InvalidRecord(f"messages={event.messages!r:.80} is no list of chat messages")
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
    if outcome.reward is not None and not math.isfinite(outcome.reward):
        raise InvalidRecord(f"outcome.reward={outcome.reward} is no number; send null for unknown")


def _check_feedback(feedback: Feedback) -> None:
    _need("feedback", feedback, Feedback)
    if feedback.kind not in _FEEDBACK_TYPES:
        raise InvalidRecord(
            f"feedback {feedback.name!r}: kind={feedback.kind!r:.80} is not one of {', '.join(_FEEDBACK_TYPES)}"
        )
    if not isinstance(feedback.value, _FEEDBACK_TYPES[feedback.kind]):
        raise InvalidRecord(f"feedback {feedback.name!r}: value={_plain(feedback.value):.80} is no {feedback.kind}")
    if isinstance(feedback.value, float) and not math.isfinite(feedback.value):
        raise InvalidRecord(f"feedback {feedback.name!r}: value={feedback.value} is no number")


def _check_message(index: int, message: Any) -> None:
    if not isinstance(message, dict):
        raise InvalidRecord(f"messages[{index}]={message!r:.80} is no object")
    if message.get("role") not in ROLES:
        raise InvalidRecord(f"messages[{index}].role={message.get('role')!r} is not one of {', '.join(ROLES)}")
    content = message.get("content")
    if content is not None and not isinstance(content, (str, list)):
        raise InvalidRecord(f"messages[{index}].content={content!r:.80} is neither text, parts nor null")
    calls = message.get("tool_calls")
    if calls is not None and not isinstance(calls, list):
        raise InvalidRecord(f"messages[{index}].tool_calls={calls!r:.80} is no list")
    for call in calls or ():
        _check_tool_call(index, call)


def _check_tool_call(index: int, call: Any) -> None:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise InvalidRecord(f"messages[{index}].tool_calls: {call!r:.120} lacks function.name")


def _check_usage(usage: Usage) -> None:
    _need("usage", usage, Usage)
    for name in ("prompt_tokens", "completion_tokens", "cached_tokens", "cost_usd", "latency_ms"):
        value = getattr(usage, name)
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise InvalidRecord(f"usage.{name}={_plain(value)} must be a finite number >= 0, or null for unknown")


def _check_labels(event: ConversationEvent) -> None:
    if not isinstance(event.labels, list):
        raise InvalidRecord(f"labels={event.labels!r:.80} is no list")
    for label in event.labels:
        if not isinstance(label, dict) or label.get("task") not in TASKS or "target" not in label:
            raise InvalidRecord(f"label {label!r:.120} needs a task ({', '.join(TASKS)}) and a target")
        if not isinstance(label.get("message", 0), int) or not 0 <= label.get("message", 0) < max(
            1, len(event.messages)
        ):
            raise InvalidRecord(f"label {label!r:.120} names no message of this event")


def _need(name: str, value: Any, kind: type) -> None:
    """A service may hand over anything; a dict has fields that nobody looked at."""
    if not isinstance(value, kind):
        raise InvalidRecord(f"{name}={value!r:.80} is no {kind.__name__}; write {kind.__name__}(...) with its fields")


def _plain(value: Any) -> str:
    """A value as its writer wrote it: JSON's 5 became 5.0 on its way to an Avro double."""
    return repr(int(value)) if isinstance(value, float) and value.is_integer() else repr(value)
