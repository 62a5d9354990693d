"""A receipt means that the broker has the event; a failure hands the event back."""

import asyncio
import threading
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.codec import decode_event
from schemas.records import ConversationEvent
from still.embedded.stack import Stack
from streams.bulk import publish_all
from streams.errors import BrokerUnavailable, DeliveryFailed, EventTooLarge, ImportFault
from streams.produce import ProduceSettings
from streams.publisher import AsyncPublisher, Publisher, Receipt

HELLO = [{"role": "user", "content": "Where is my parcel?"}]


def _read(stack: Stack, receipts: list[Receipt]) -> list[ConversationEvent]:
    """The events that lie where the receipts say."""
    consumer = Consumer({"bootstrap.servers": stack.bootstrap_servers, "group.id": "test", "enable.auto.commit": False})
    found = []
    for receipt in receipts:
        assert receipt.offset is not None
        consumer.assign([TopicPartition(receipt.topic, receipt.partition, receipt.offset)])
        message: Any = consumer.poll(30)
        found.append(decode_event(message.value()))
    consumer.close()
    return found


def test_a_contact_lies_on_the_log_as_its_receipts_say(stack: Stack, topics: str) -> None:
    """Every verb's event is found at its receipt's offset, in one partition, in order."""
    with Publisher(stack.bootstrap_servers, "acme", topic_prefix=topics) as publisher:
        receipts = [
            publisher.turn("c-1", HELLO, customer_id="mia", variant="gpt"),
            publisher.feedback("c-1", "thumbs", value=True),
            publisher.outcome("c-1", success=True, reason="solved"),
            publisher.closed("c-1"),
            publisher.conversation("c-2", HELLO),
        ]
    events = _read(stack, receipts)
    assert [event.kind for event in events] == ["turn", "feedback", "outcome", "closed", "conversation"]
    assert [event.sequence for event in events] == [0, 1, 2, 3, 0]
    assert len({receipt.partition for receipt in receipts[:4]}) == 1
    assert (events[0].tenant, events[0].customer_id, events[0].messages) == ("acme", "mia", HELLO)


def test_gathered_turns_keep_their_order(stack: Stack, topics: str) -> None:
    """The asyncio publisher numbers a turn when it is said."""

    async def talk() -> list[Receipt]:
        async with AsyncPublisher(stack.bootstrap_servers, topic_prefix=topics) as publisher:
            return await asyncio.gather(*(publisher.turn("c-3", HELLO) for _ in range(20)))

    receipts = asyncio.run(talk())
    assert [receipt.sequence for receipt in receipts] == list(range(20))
    offsets = [receipt.offset for receipt in receipts if receipt.offset is not None]
    assert len(offsets) == 20
    assert offsets == sorted(offsets)


def test_threads_share_a_publisher(stack: Stack, topics: str) -> None:
    """Each thread's contact is numbered without gap or double."""
    receipts: list[Receipt] = []
    with Publisher(stack.bootstrap_servers, topic_prefix=topics) as publisher:
        threads = [
            threading.Thread(target=lambda: receipts.extend(publisher.turn("c-4", HELLO) for _ in range(5)))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(receipt.sequence or 0 for receipt in receipts) == list(range(20))


def test_what_was_not_confirmed_comes_back() -> None:
    """Without a broker the error carries the event; its id stays the same when it is published again."""
    publisher = Publisher(ProduceSettings("127.0.0.1:1", delivery_timeout_s=0.5))
    with pytest.raises(BrokerUnavailable) as failed:
        publisher.turn("c-5", HELLO)
    assert failed.value.event is not None
    with pytest.raises(BrokerUnavailable) as again:
        publisher.publish(failed.value.event)
    assert again.value.event == failed.value.event
    publisher.close()


def test_asyncio_hands_the_event_back_too() -> None:
    """The same for the awaiting publisher."""

    async def talk() -> ConversationEvent | None:
        publisher = AsyncPublisher(ProduceSettings("127.0.0.1:1", delivery_timeout_s=0.5))
        try:
            await publisher.turn("c-6", HELLO)
        except BrokerUnavailable as error:
            return error.event
        finally:
            await publisher.close()
        return None

    event = asyncio.run(talk())
    assert event is not None
    assert event.conversation_id == "c-6"


def test_five_megabytes_are_refused_before_sending(stack: Stack, topics: str) -> None:
    """The limit is named, nothing is sent, the publisher goes on."""
    with Publisher(stack.bootstrap_servers, topic_prefix=topics) as publisher:
        with pytest.raises(EventTooLarge, match="limit is 1000000"):
            publisher.turn("c-7", [{"role": "user", "content": "x" * 5_000_000}])
        assert publisher.turn("c-7", HELLO).sequence == 0


def test_a_bulk_reports_on_each(stack: Stack, topics: str) -> None:
    """Receipts and faults come in the order of the items; one fault loses nothing else."""
    fault = ImportFault("file", 2, "is no JSON")
    large = ConversationEvent("large", "c", "turn", messages=[{"role": "user", "content": "x" * 1_000_001}])
    items = [ConversationEvent(f"e{n}", "c", "turn", messages=HELLO) for n in range(3)]
    with Publisher(stack.bootstrap_servers, topic_prefix=topics) as publisher:
        answers = list(publish_all(publisher, [items[0], fault, large, *items[1:]]))
    assert [type(answer) for answer in answers] == [Receipt, ImportFault, EventTooLarge, Receipt, Receipt]


def test_a_topic_that_is_not_there_is_said_so(stack: Stack, topic_prefix: str) -> None:
    """The broker must not make one by itself, with partitions of its own choice: the caller is told what to run."""
    with (
        Publisher(stack.bootstrap_servers, topic_prefix=topic_prefix) as publisher,
        pytest.raises(DeliveryFailed, match=rf"no topic {topic_prefix}conversation.events at .*; run `still init`"),
    ):
        publisher.closed("c")
    there = AdminClient({"bootstrap.servers": stack.bootstrap_servers, "log_level": 0}).list_topics(timeout=10).topics
    assert topic_prefix + "conversation.events" not in there
