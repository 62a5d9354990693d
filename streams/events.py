"""Builds the events of the publisher: plain values in, checked `ConversationEvent` out, no I/O.

An event's id is a hash of its whole content, its number in the conversation included: a program that is run again
publishes the same ids, and each counts once.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict, Unpack

from schemas import codec, edge
from schemas.depth import quoted
from schemas.edge import MAX_EVENT_BYTES
from schemas.errors import InvalidRecord
from schemas.fields import refuse_unknown
from schemas.ids import content_hash, stable_id
from schemas.records import ConversationEvent, EventKind, Feedback, FeedbackKind, Outcome, Usage
from streams.chat import Chat, Dumps, labels_of, messages_of, plain, tools_of
from streams.errors import EventTooLarge

_LAST_KINDS = ("closed", "conversation")
ID_BYTES = 64
"""Room for the id and the number that an event gets last."""


class Details(TypedDict, total=False):
    """What may be said about any event; all optional. Times are microseconds since the epoch, UTC."""

    event_id: str
    sequence: int
    occurred_at: int
    started_at: int
    customer_id: str
    agent: str
    variant: str
    tools: Iterable[Mapping[str, Any] | Dumps]
    usage: Usage | Sequence[Usage]
    outcome: Outcome
    labels: Sequence[Mapping[str, Any]]
    metadata: Mapping[str, str]


class Counters:
    """The next number of each open conversation, from 0; thread-safe, of bounded memory.

    A closed conversation is forgotten. When `limit` are open, the one longest silent is forgotten too, and from then on
    conversations that are not held get no number: null means order of arrival, which Kafka keeps for one publisher.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._next: OrderedDict[str, int] = OrderedDict()
        self._overflowed = False
        self._lock = threading.Lock()

    def take(self, conversation_id: str, *, last: bool) -> int | None:
        """The number of an event; `last` forgets the conversation."""
        with self._lock:
            if conversation_id not in self._next and self._overflowed:
                return None
            number = self._next.pop(conversation_id, 0)
            if not last:
                self._next[conversation_id] = number + 1
            if len(self._next) > self._limit:
                self._next.popitem(last=False)
                self._overflowed = True
            return number

    def note(self, conversation_id: str, sequence: int) -> None:
        """The caller gave this number: go on behind it."""
        with self._lock:
            self._next[conversation_id] = max(self._next.pop(conversation_id, 0), sequence + 1)


class EventBuilder:
    """Makes events for one publisher: its tenant, its numbering."""

    def __init__(self, tenant: str | None = None, max_open: int = 100_000) -> None:
        self._tenant = tenant
        self._counters = Counters(max_open)

    def build(
        self,
        kind: EventKind,
        conversation_id: str,
        messages: Chat = (),
        feedback: Feedback | None = None,
        **details: Unpack[Details],
    ) -> ConversationEvent:
        """A checked event; only one that may be sent takes a number, so that no gap is left behind.

        Raises:
            InvalidRecord: a value breaks the rules of the edge, or a detail is none; names it.
            EventTooLarge: it has more bytes than a broker takes.
        """
        refuse_unknown(details, Details.__optional_keys__, f"an event of kind {kind}")
        usage = details.get("usage", ())
        event = ConversationEvent(
            event_id=details.get("event_id", "unset"),
            conversation_id=conversation_id,
            kind=kind,
            occurred_at=details.get("occurred_at"),
            started_at=details.get("started_at"),
            tenant=self._tenant,
            customer_id=details.get("customer_id"),
            agent=details.get("agent"),
            variant=details.get("variant"),
            messages=messages_of(messages),
            tools=tools_of(details.get("tools")),
            usage=tuple(usage) if isinstance(usage, Sequence) else (usage,),
            feedback=feedback,
            outcome=details.get("outcome"),
            labels=labels_of(details.get("labels", ())),
            metadata=plain(details.get("metadata", {}), "metadata"),
        )
        encode_within_limit(edge.check(event))
        return self._identified(self._numbered(event, details), details)

    def _numbered(self, event: ConversationEvent, details: Details) -> ConversationEvent:
        if "sequence" in details:
            numbered = edge.check(replace(event, sequence=details["sequence"]))
            self._counters.note(event.conversation_id, details["sequence"])
            return numbered
        number = self._counters.take(event.conversation_id, last=event.kind in _LAST_KINDS)
        return replace(event, sequence=number)

    def _identified(self, event: ConversationEvent, details: Details) -> ConversationEvent:
        return event if "event_id" in details else with_content_id(event)


def encode_within_limit(event: ConversationEvent) -> bytes:
    """The event's bytes.

    Raises:
        EventTooLarge: more than a broker takes.
    """
    value = codec.encode(event)
    if len(value) <= MAX_EVENT_BYTES - ID_BYTES:
        return value
    raise EventTooLarge(
        f"an event of conversation {event.conversation_id} has {len(value)} bytes, the limit is {MAX_EVENT_BYTES}; "
        "send its messages as several turns"
    )


def with_content_id(event: ConversationEvent) -> ConversationEvent:
    """The event with an id that is a hash of everything else in it."""
    return replace(event, event_id=stable_id(content_hash(codec.to_json(replace(event, event_id="")))))


def feedback_of(
    name: str, value: float | bool | str, kind: FeedbackKind | None = None, message: int | None = None
) -> Feedback:
    """Feedback whose kind follows from the value: true/false, a number, a comment; a demonstration must be named.

    Raises:
        InvalidRecord: a value of another type.
    """
    found = edge.feedback_kind(value)
    if found is None:
        raise InvalidRecord(f"feedback {name!r}: value={quoted(value)} is no true or false, number or text")
    return Feedback(name, kind or found, float(value) if found == "float" else value, message)
