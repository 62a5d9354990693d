"""The SDK of agent services: say what happened, get a receipt once the broker has it durably.

`Publisher` blocks, `AsyncPublisher` awaits; both are the same verbs over the same producer. An event that was not
confirmed comes back on the error (`error.event`): publishing it again is safe, because its id stays the same.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Self, TypeVar, Unpack

from schemas import edge
from schemas.records import ConversationEvent, FeedbackKind, Outcome
from streams.chat import Chat
from streams.errors import ProduceError
from streams.events import Details, EventBuilder, encode_within_limit, feedback_of
from streams.produce import Delivered, Producer, ProduceSettings

TOPIC = "conversation.events"

Answer = TypeVar("Answer")
"""What a verb returns: a `Receipt`, or an awaitable one."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that the broker holds an event: all in-sync replicas acknowledged it at this offset.

    Offset None = it was there already from a try whose answer was lost, so that the broker did not say where.
    """

    event_id: str
    conversation_id: str
    sequence: int | None
    topic: str
    partition: int
    offset: int | None


class Verbs(ABC, Generic[Answer]):
    """What a service can say. Each raises `InvalidRecord` for a value that breaks the rules, and `EventTooLarge`.

    Events are numbered per conversation, from 0, by this publisher. A service that restarts in the middle of a contact,
    or speaks through several publishers, passes `sequence` itself.
    """

    def __init__(
        self,
        kafka: str | ProduceSettings,
        tenant: str | None = None,
        *,
        topic_prefix: str = "",
        max_open_conversations: int = 100_000,
    ) -> None:
        self._producer = Producer(ProduceSettings(kafka) if isinstance(kafka, str) else kafka)
        self._topic = topic_prefix + TOPIC
        self._builder = EventBuilder(tenant, max_open_conversations)

    def publish(self, event: ConversationEvent) -> Answer:
        """Publish a ready event as it is: also how to repeat one that was not confirmed."""
        return self._publish(edge.check(event))

    def turn(self, conversation_id: str, messages: Chat, **details: Unpack[Details]) -> Answer:
        """New messages of a contact, in OpenAI chat form, verbatim: dicts or objects of the openai client."""
        return self._publish(self._builder.build("turn", conversation_id, messages, **details))

    def feedback(
        self,
        conversation_id: str,
        name: str,
        value: float | bool | str,
        *,
        kind: FeedbackKind | None = None,
        message: int | None = None,
        **details: Unpack[Details],
    ) -> Answer:
        """What somebody thinks of the contact: thumbs (true/false), a rating, a comment, the ideal answer.

        `message` is the index of the message it is about, counted over the whole conversation; None = all of it.
        """
        feedback = feedback_of(name, value, kind, message)
        return self._publish(self._builder.build("feedback", conversation_id, (), feedback, **details))

    def outcome(
        self,
        conversation_id: str,
        success: bool | None = None,
        *,
        reward: float | None = None,
        reason: str | None = None,
        **details: Unpack[Details],
    ) -> Answer:
        """How the contact ended, as far as known."""
        details["outcome"] = Outcome(success, reward, reason)
        return self._publish(self._builder.build("outcome", conversation_id, **details))

    def closed(self, conversation_id: str, **details: Unpack[Details]) -> Answer:
        """The contact is over."""
        return self._publish(self._builder.build("closed", conversation_id, **details))

    def conversation(self, conversation_id: str, messages: Chat, **details: Unpack[Details]) -> Answer:
        """A whole contact in one event."""
        return self._publish(self._builder.build("conversation", conversation_id, messages, **details))

    @abstractmethod
    def _publish(self, event: ConversationEvent) -> Answer:
        """Send a checked event and answer once the broker has it."""

    def _encoded(self, event: ConversationEvent) -> tuple[str, bytes, bytes]:
        """Topic, key and value. Raises `EventTooLarge`."""
        return self._topic, event.conversation_id.encode(), encode_within_limit(event)


class Publisher(Verbs[Receipt]):
    """Publishes and waits; thread-safe; a context manager.

    >>> with Publisher("localhost:9092", tenant="acme") as publisher:
    ...     publisher.turn("contact-17", [{"role": "user", "content": "Where is my parcel?"}])

    Every verb raises `ProduceError` where the broker did not confirm.
    """

    def begin(self, event: ConversationEvent) -> Future[Delivered]:
        """Queue a ready event without waiting: the future is done when the broker has it."""
        return self._producer.send(*self._encoded(edge.check(event)))

    def check(self, timeout_s: float = 5.0) -> str:
        """The broker's cluster id. Raises `BrokerUnavailable`."""
        return self._producer.check(timeout_s)

    def close(self) -> None:
        """Wait for what is under way and stop. Raises `BrokerUnavailable` if something stays unconfirmed."""
        self._producer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _publish(self, event: ConversationEvent) -> Receipt:
        try:
            return receipt(event, self.begin(event).result())
        except ProduceError as error:
            error.event = event
            raise


class AsyncPublisher(Verbs[Coroutine[None, None, Receipt]]):
    """The same for asyncio; numbers are given when a verb is called, so gathered turns keep their order."""

    async def close(self) -> None:
        """Wait for what is under way and stop. Raises `BrokerUnavailable` if something stays unconfirmed."""
        await asyncio.to_thread(self._producer.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def _publish(self, event: ConversationEvent) -> Receipt:
        try:
            delivered = await self._producer.send_async(*self._encoded(event))
        except ProduceError as error:
            error.event = event
            raise
        return receipt(event, delivered)


def receipt(event: ConversationEvent, delivered: Delivered) -> Receipt:
    """The receipt of a confirmed event."""
    return Receipt(
        event.event_id,
        event.conversation_id,
        event.sequence,
        delivered.topic,
        delivered.partition,
        delivered.offset,
    )
