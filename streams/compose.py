"""Compose one conversation from its events: a pure function of the events and their offsets.

Events stand in the order of their `sequence`; one without it stands behind everything that arrived before it. So the
same events in any order that Kafka allows give the same conversation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

from schemas.records import (
    ClosedBy,
    ConversationEvent,
    EventKind,
    Feedback,
    Messages,
    Outcome,
    Provenance,
    Tools,
    Usage,
)
from streams.values import Draft

CLOSED_BY = "closed_by"
LAST_OFFSET = "last_offset"
"""Metadata keys of an inactivity close: why, and after which offset the conversation was quiet."""

T = TypeVar("T")

_LAST = 2**31 - 1
"""The largest index that travels; one that names no message of its event may lie beyond it once it is shifted."""


@dataclass(frozen=True, slots=True)
class Head:
    """What assembly needs to know of a held event without decoding it again."""

    offset: int
    event_id: str
    kind: EventKind
    sequence: int | None
    inactivity: bool

    @staticmethod
    def of(offset: int, event: ConversationEvent) -> Head:
        """The head of an event at its source offset."""
        return Head(
            offset,
            event.event_id,
            event.kind,
            event.sequence,
            event.metadata.get(CLOSED_BY) == "inactivity" and event.kind == "closed",
        )


class Placed(NamedTuple):
    """An event and the source offset at which it arrived."""

    offset: int
    event: ConversationEvent


def is_complete(heads: Sequence[Head]) -> bool:
    """Whether the publisher closed it and everything that it counted before the close has arrived.

    A close without a sequence, and a whole conversation in one event, promise nothing more is to come.
    """
    if any(head.kind == "conversation" for head in heads):
        return True
    closes = [head for head in heads if head.kind == "closed" and not head.inactivity]
    return any(close.sequence is None or _arrived_below(heads, close.sequence) >= close.sequence for close in closes)


def _arrived_below(heads: Sequence[Head], sequence: int) -> int:
    """How many of the events 0 to sequence - 1 are here; one without a number may be any of them."""
    numbered = {head.sequence for head in heads if head.sequence is not None and head.sequence < sequence}
    return len(numbered) + sum(head.sequence is None for head in heads)


def compose(placed: Sequence[Placed], revision: int, provenance: Provenance) -> Draft | None:
    """The conversation that these events make; None where nobody has said anything."""
    events = _in_order(placed)
    whole = max((i for i, event in enumerate(events) if event.kind == "conversation"), default=0)
    spoken = [event for i, event in enumerate(events) if i >= whole or not event.messages]
    said = _said(spoken)
    if not said.messages:
        return None
    times = [event.occurred_at for event in events if event.occurred_at is not None and not _is_inactivity(event)]
    starts = [event.started_at for event in events if event.started_at is not None] + times
    return Draft(
        conversation_id=events[0].conversation_id,
        revision=revision,
        provenance=provenance,
        messages=said.messages,
        closed_by=_closed_by(events),
        events=len(events),
        tenant=_last([event.tenant for event in events]),
        customer_id=_last([event.customer_id for event in events]),
        agent=_last([event.agent for event in events]),
        variant=_last([event.variant for event in events]),
        started_at=min(starts, default=None),
        ended_at=max(times, default=None),
        tools=said.tools,
        usage=tuple(said.usage),
        feedback=tuple(said.feedback),
        outcome=_merge_outcomes([event.outcome for event in events if event.outcome is not None]),
        labels=said.labels,
        metadata={k: v for event in events if not _is_inactivity(event) for k, v in event.metadata.items()},
    )


def _in_order(placed: Sequence[Placed]) -> list[ConversationEvent]:
    keyed: list[tuple[tuple[int, int, int, str], ConversationEvent]] = []
    highest = -1
    for offset, event in sorted(placed, key=lambda one: one.offset):
        if event.sequence is None:
            keyed.append(((highest, 1, offset, ""), event))
        else:
            highest = max(highest, event.sequence)
            # Two events of one number (two publishers): their ids decide, arrival must not.
            keyed.append(((event.sequence, 0, 0, event.event_id), event))
    return [event for _, event in sorted(keyed, key=lambda pair: pair[0])]


@dataclass(slots=True)
class _Said:
    """What the events say, with indexes counted in the conversation's messages."""

    messages: Messages
    usage: list[Usage]
    feedback: list[Feedback]
    labels: list[dict[str, Any]]
    tools: Tools | None = None


def _said(events: Sequence[ConversationEvent]) -> _Said:
    said = _Said([], [], [], [])
    for event in events:
        base = len(said.messages)
        said.messages += event.messages
        said.tools = event.tools if event.tools is not None else said.tools
        said.usage += [_shift_usage(usage, event, base) for usage in event.usage]
        said.labels += [_shift_label(label, event, base) for label in event.labels]
        if event.feedback is not None:
            said.feedback.append(_shift_feedback(event.feedback, event, base))
    return said


def _shift_usage(usage: Usage, event: ConversationEvent, base: int) -> Usage:
    """Usage of a turn that names no message belongs to what the agent said in it."""
    index = usage.message
    if index is None and event.kind == "turn":
        spoken = [i for i, message in enumerate(event.messages) if message["role"] == "assistant"]
        index = spoken[-1] if spoken else None
    return replace(usage, message=None if index is None else min(base + index, _LAST))


def _shift_label(label: dict[str, Any], event: ConversationEvent, base: int) -> dict[str, Any]:
    """A label that names no message is about the only one of its event, else about the conversation."""
    index = label.get("message")
    if index is None and len(event.messages) == 1:
        index = 0
    if index is None or not event.messages:
        return {key: value for key, value in label.items() if key != "message"}
    return {**label, "message": base + index}


def _shift_feedback(feedback: Feedback, event: ConversationEvent, base: int) -> Feedback:
    """Feedback that comes with messages counts in them; feedback that comes alone counts in the conversation."""
    if feedback.message is None or not event.messages:
        return feedback
    return replace(feedback, message=min(base + feedback.message, _LAST))


def _merge_outcomes(outcomes: Sequence[Outcome]) -> Outcome | None:
    """Field by field the last that is known: one service reports the reward, another the reason."""
    if not outcomes:
        return None
    return Outcome(
        success=_last([outcome.success for outcome in outcomes]),
        reward=_last([outcome.reward for outcome in outcomes]),
        reason=_last([outcome.reason for outcome in outcomes]),
    )


def _closed_by(events: Sequence[ConversationEvent]) -> ClosedBy:
    if any(event.kind == "conversation" for event in events):
        return "conversation"
    explicit = any(event.kind == "closed" and not _is_inactivity(event) for event in events)
    return "closed" if explicit else "inactivity"


def _is_inactivity(event: ConversationEvent) -> bool:
    return event.kind == "closed" and event.metadata.get(CLOSED_BY) == "inactivity"


def _last(values: Sequence[T | None]) -> T | None:
    return next((value for value in reversed(values) if value is not None), None)
