"""A conversation too large for one event, as turn events and a close; assembled again it says the same. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import orjson

from schemas import codec
from schemas.edge import MAX_EVENT_BYTES
from schemas.records import ConversationEvent, Messages, Usage
from streams.errors import EventTooLarge
from streams.events import ID_BYTES, with_content_id

_ROOM = 1_000
"""Bytes for ids and framing of an event."""


def fitting(event: ConversationEvent, max_bytes: int = MAX_EVENT_BYTES) -> list[ConversationEvent]:
    """The event itself, or, where it is a conversation of more bytes, its turns and its close, numbered from 0.

    Raises:
        EventTooLarge: a part has more bytes all the same, e.g. one message of it: then nothing of it may be sent, for
            a conversation with a hole would be learnt from with a wrong context.
    """
    if event.kind != "conversation" or len(codec.encode(event)) <= max_bytes - _ROOM:
        return [event]
    overhead = len(codec.encode(replace(event, messages=[], usage=()))) + _ROOM
    turns = list(_turns(event, max_bytes - overhead))
    close = replace(
        event,
        kind="closed",
        sequence=len(turns),
        messages=[],
        tools=None,
        labels=[],
        usage=tuple(usage for usage in event.usage if usage.message is None),
    )
    parts = [with_content_id(part) for part in (*turns, close)]
    for part in parts:
        _check_size(part, max_bytes)
    return parts


def _check_size(part: ConversationEvent, max_bytes: int) -> None:
    size = len(codec.encode(part))
    if size > max_bytes - ID_BYTES:
        what = "its close" if part.kind == "closed" else f"{len(part.messages)} of its messages"
        raise EventTooLarge(
            f"conversation {part.conversation_id} does not fit into events of {max_bytes} bytes: {what} would make one "
            f"of {size}; nothing of it was sent, shorten that or leave the conversation out"
        )


def _turns(event: ConversationEvent, budget: int) -> Iterator[ConversationEvent]:
    start = 0
    for number, chunk in enumerate(_chunks(event.messages, budget)):
        stop = start + len(chunk)
        inside = range(start, stop)
        yield replace(
            event,
            kind="turn",
            sequence=number,
            occurred_at=None,
            messages=chunk,
            outcome=None,
            tools=event.tools if number == 0 else None,
            usage=tuple(_shifted(usage, start) for usage in event.usage if usage.message in inside),
            labels=[{**one, "message": one["message"] - start} for one in event.labels if one.get("message") in inside],
        )
        start = stop


def _shifted(usage: Usage, start: int) -> Usage:
    return replace(usage, message=None if usage.message is None else usage.message - start)


def _chunks(messages: Messages, budget: int) -> Iterator[Messages]:
    chunk: Messages = []
    size = 0
    for message in messages:
        length = len(orjson.dumps(message))
        if chunk and size + length > budget:
            yield chunk
            chunk, size = [], 0
        chunk.append(message)
        size += length
    yield chunk
