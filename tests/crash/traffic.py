"""Traffic of the long tier: a pure function of the seed, block after block of contacts whose events interleave.

Turns, feedback, closes, whole conversations, contacts that nobody closes, and poison: bytes that hold no event, and
events under a foreign key.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from schemas import codec
from schemas.records import ConversationEvent, Feedback, Message

CONTACTS = 200
"""Contacts of one block; their events interleave, and none of them reaches into the next block."""

_ASKED = (
    "Where is my order W%d?",
    "I want to cancel order W%d please.",
    "My parcel W%d never came, mail me at x%d@mail.com",
)
_ANSWERED = ("It left our house today, order W%d.", "Done, order W%d is cancelled.", "I am sorry, W%d is lost.")


class Sent(NamedTuple):
    """One record to publish: an event through the SDK, or bytes under a key."""

    key: bytes
    event: ConversationEvent | None
    garbage: bytes | None = None

    @property
    def value(self) -> bytes | None:
        """The bytes as they are on the log."""
        return self.garbage if self.event is None else codec.encode(self.event)


def block(seed: int, number: int) -> list[Sent]:
    """The records of a block in the order they are published; each contact's own order is kept."""
    chance = random.Random(f"{seed}:block:{number}")
    waiting = [list(reversed(contact(seed, number * CONTACTS + index))) for index in range(CONTACTS)]
    mixed: list[Sent] = []
    while waiting:
        at = chance.randrange(min(len(waiting), 40))
        mixed.append(waiting[at].pop())
        if not waiting[at]:
            waiting.pop(at)
    return mixed


def contact(seed: int, number: int) -> list[Sent]:
    """All records of one contact in order."""
    chance = random.Random(f"{seed}:contact:{number}")
    id_ = f"contact-{number}"
    kind = chance.random()
    if kind < 0.03:
        return [Sent(id_.encode(), None, chance.randbytes(chance.randrange(300)))]
    if kind < 0.04:
        return [Sent(b"foreign", _turn(id_, 0, chance))]
    if kind < 0.10:
        messages = [message for turn in range(3) for message in _turn(id_, turn, chance).messages]
        return [_sent(ConversationEvent(f"{id_}-0", id_, "conversation", 0, messages=messages))]
    return [_sent(event) for event in _turns(id_, chance)]


def contradicted(sent: Sent) -> list[Sent]:
    """The same event id once more, with other content; of bytes that hold no event nothing."""
    return [] if sent.event is None else [Sent(sent.key, replace(sent.event, metadata={"said": "otherwise"}))]


def _turns(id_: str, chance: random.Random) -> Iterator[ConversationEvent]:
    turns = chance.randint(1, 8)
    yield from (_turn(id_, number, chance) for number in range(turns))
    if chance.random() < 0.2:
        thumb = Feedback("thumbs", "boolean", chance.random() < 0.7)
        yield ConversationEvent(f"{id_}-{turns}", id_, "feedback", turns, feedback=thumb)
        turns += 1
    if chance.random() < 0.95:
        yield ConversationEvent(f"{id_}-{turns}", id_, "closed", turns)


def _turn(id_: str, number: int, chance: random.Random) -> ConversationEvent:
    order = chance.randrange(10**6)
    asked, answered = chance.choice(_ASKED), chance.choice(_ANSWERED)
    messages: list[Message] = [
        {"role": "user", "content": asked % ((order,) * asked.count("%d"))},
        {"role": "assistant", "content": answered % order},
    ]
    customer = f"customer-{chance.randrange(5000)}"
    return ConversationEvent(f"{id_}-{number}", id_, "turn", number, customer_id=customer, messages=messages)


def _sent(event: ConversationEvent) -> Sent:
    return Sent(event.conversation_id.encode(), event)
