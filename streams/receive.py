"""From consumed bytes to a checked event, or to the `Rejected` that says why not. Nothing here remembers anything."""

from __future__ import annotations

from dataclasses import dataclass

from schemas import codec
from schemas.codec import JSON_CONTENT_TYPE
from schemas.edge import MAX_EVENT_BYTES
from schemas.errors import InvalidRecord, SchemaError, TooDeep, UnknownSchema
from schemas.records import ConversationEvent
from streams.values import Arrived, Reason, Rejected

STAGE = "assemble"


@dataclass(frozen=True, slots=True)
class Received:
    """A checked event with its bytes in wire format, whichever way it came in."""

    event: ConversationEvent
    value: bytes


def receive(arrived: Arrived, max_bytes: int = MAX_EVENT_BYTES) -> Received | Rejected:
    """The event in a consumed message of `conversation.events`, of at most `max_bytes`."""
    if arrived.value is None:
        return reject("no_value", f"offset {arrived.offset} holds no value; conversation.events takes no tombstones")
    if len(arrived.value) > max_bytes:
        detail = (
            f"{len(arrived.value)} bytes; an event may have {max_bytes}: publish its turns one by one, or raise "
            "STILL_MAX_EVENT_BYTES and replay"
        )
        return reject("too_large", detail)
    try:
        received = _read(arrived.value, arrived.headers.get("content-type"))
    except SchemaError as error:
        return reject(_reason(error), str(error))
    return _fault(received, arrived.key) or received


def _read(value: bytes, content_type: bytes | None) -> Received:
    event = codec.decode_event(value, content_type)
    return Received(event, codec.encode(event) if content_type == JSON_CONTENT_TYPE else value)


def _reason(error: SchemaError) -> Reason:
    if isinstance(error, InvalidRecord):
        return "too_deep" if isinstance(error, TooDeep) else "invalid"
    return "unknown_schema" if isinstance(error, UnknownSchema) else "undecodable"


def _fault(received: Received, key: bytes | None) -> Rejected | None:
    event = received.event
    if key != event.conversation_id.encode():
        detail = f"key={key!r:.80} with conversation_id={event.conversation_id!r:.80}; use the id as the key"
        return reject("wrong_key", detail)
    return None


def reject(reason: Reason, detail: str) -> Rejected:
    """A rejection by the stage assemble."""
    return Rejected(STAGE, reason, detail)
