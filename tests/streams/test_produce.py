"""Everything that is sent is confirmed or fails, in bounded time and memory."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from still.embedded.stack import Stack
from streams.errors import BrokerUnavailable, DeliveryFailed, EventTooLarge, ProducerClosed
from streams.produce import Producer, ProduceSettings


@pytest.fixture(name="producer")
def _producer(stack: Stack) -> Iterator[Producer]:
    producer = Producer(ProduceSettings(stack.bootstrap_servers, max_queue_kib=256))
    yield producer
    producer.close()


@pytest.fixture(name="nowhere")
def _nowhere() -> Iterator[str]:
    """An address where nobody listens: bound, never accepted."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


def test_a_confirmation_says_where_the_message_lies(producer: Producer, topics: str) -> None:
    """Topic, partition and offset come from the broker, and offsets go up."""
    first, second = (producer.send(f"{topics}scores", b"k", b"v", [("h", b"1")], 0).result(30) for _ in range(2))
    assert (first.topic, first.partition, first.offset) == (f"{topics}scores", 0, 0)
    assert second.offset == 1


def test_a_full_queue_makes_the_sender_wait(producer: Producer, topics: str) -> None:
    """More bytes than the queue holds go through without an error and without a loss."""
    batch = producer.batch()
    for number in range(3000):
        batch.send(f"{topics}examples", str(number).encode(), b"x" * 1000)
    batch.confirm().result(60)
    last = producer.send(f"{topics}examples", b"k", b"v", (), 0).result(30)
    assert last.offset is not None
    assert last.offset > 0


def test_asyncio_senders_share_one_loop(producer: Producer, topics: str) -> None:
    """Many awaited sends complete together."""

    async def send() -> int:
        sent = await asyncio.gather(
            *(producer.send_async(f"{topics}conversations", b"k%d" % n, b"v") for n in range(200))
        )
        return len({(one.partition, one.offset) for one in sent})

    assert asyncio.run(send()) == 200


def test_a_batch_reports_its_failure(nowhere: str) -> None:
    """What was not confirmed fails the confirmation of the whole batch."""
    producer = Producer(ProduceSettings(nowhere, delivery_timeout_s=1))
    batch = producer.batch()
    batch.send("x", b"k", b"v")
    with pytest.raises(BrokerUnavailable):
        batch.confirm().result(20)
    producer.close()


def test_an_unknown_partition_is_refused(producer: Producer, topics: str) -> None:
    """What the broker cannot take is said at the call, and the batch fails with it."""
    producer.send(f"{topics}scores", b"k", b"v").result(30)
    batch = producer.batch()
    with pytest.raises(DeliveryFailed, match="refused a message"):
        batch.send(f"{topics}scores", b"k", b"v", (), 999)
    with pytest.raises(DeliveryFailed):
        batch.confirm().result(30)


def test_too_large_a_message_is_refused_before_it_is_sent(stack: Stack) -> None:
    """The size limit is checked at once."""
    producer = Producer(ProduceSettings(stack.bootstrap_servers, max_message_bytes=2000))
    with pytest.raises(EventTooLarge, match="5000 bytes"):
        producer.send("x", b"k", b"v" * 5000)
    producer.close()


def test_no_broker_is_said_in_bounded_time(nowhere: str) -> None:
    """Checking and sending both end with the address and what to do."""
    producer = Producer(ProduceSettings(nowhere, delivery_timeout_s=1))
    with pytest.raises(BrokerUnavailable, match=nowhere):
        producer.check(0.5)
    with pytest.raises(BrokerUnavailable, match="start it or mend bootstrap_servers"):
        producer.send("x", b"k", b"v").result(20)
    producer.close()


def test_a_closed_producer_says_so(stack: Stack) -> None:
    """Sending after close is an error of its own; closing twice is none."""
    producer = Producer(ProduceSettings(stack.bootstrap_servers))
    producer.close()
    producer.close()
    with pytest.raises(ProducerClosed):
        producer.send("x", b"k", b"v")


@pytest.mark.parametrize("wrong", [{"bootstrap_servers": " "}, {"delivery_timeout_s": 0.0}, {"max_queue_kib": 0}])
def test_wrong_settings_are_refused_at_birth(wrong: dict[str, object]) -> None:
    """A setting that cannot work is named."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ProduceSettings(**{"bootstrap_servers": "localhost:1", **wrong})  # type: ignore[arg-type]


def test_secrets_stay_out_of_print() -> None:
    """A password among the options is not in the repr."""
    assert "hush" not in repr(ProduceSettings("localhost:1", options={"sasl.password": "hush"}))
