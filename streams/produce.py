"""The one way messages get into Kafka: an idempotent librdkafka producer whose every delivery is confirmed or fails.

Shared by the publisher, the worker and the label import. A full queue makes the caller wait instead of raising,
memory is bounded by bytes, and a delivery is a success only after all in-sync replicas have it. No transactions.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import Producer as KafkaProducer

from streams.errors import BrokerUnavailable, DeliveryFailed, EventTooLarge, ProduceError, ProducerClosed

Headers = Sequence[tuple[str, bytes]]
OnDelivery = Callable[[Any, Any], None]
"""librdkafka's own callback: (error or None, message)."""

_UNREACHABLE = {
    KafkaError._MSG_TIMED_OUT,  # noqa: SLF001 - librdkafka's own client-side codes start with an underscore
    KafkaError._TIMED_OUT,  # noqa: SLF001
    KafkaError._TRANSPORT,  # noqa: SLF001
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
}
_NO_TOPIC = {KafkaError._UNKNOWN_TOPIC, KafkaError.UNKNOWN_TOPIC_OR_PART}  # noqa: SLF001
_WAIT_S = 0.01  # between two tries while the queue is full: far below a linger, far above a busy loop


@dataclass(frozen=True, slots=True)
class ProduceSettings:
    """How messages are sent. `options` are further librdkafka settings (TLS, SASL); they stay out of `repr`."""

    bootstrap_servers: str
    client_id: str = "stillstream"
    linger_ms: int = 20
    delivery_timeout_s: float = 30.0
    max_queue_kib: int = 32 * 1024
    max_message_bytes: int = 8_000_000
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.bootstrap_servers.strip():
            raise ValueError("bootstrap_servers is empty; give host:port[,host:port]")
        for name in ("delivery_timeout_s", "max_queue_kib", "max_message_bytes"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}={getattr(self, name)} must be positive")

    def librdkafka(self) -> dict[str, Any]:
        """The same in librdkafka's words."""
        return {
            "bootstrap.servers": self.bootstrap_servers,
            "client.id": self.client_id,
            "acks": "all",
            "enable.idempotence": True,
            "allow.auto.create.topics": False,  # `still init` makes topics, and knows their partitions
            "topic.metadata.propagation.max.ms": 10_000,  # from then on a topic that is not there is said not to be
            "compression.type": "lz4",
            "linger.ms": self.linger_ms,
            "partitioner": "murmur2_random",  # what Java clients and aiokafka do: all agree on a key's partition
            "message.timeout.ms": int(self.delivery_timeout_s * 1000),
            "message.max.bytes": self.max_message_bytes,
            "queue.buffering.max.kbytes": self.max_queue_kib,
            "queue.buffering.max.messages": 200_000,
            **self.options,
        }


@dataclass(frozen=True, slots=True)
class Delivered:
    """Where a confirmed message lies; offset None = the broker had it already, from a try before, and did not say."""

    topic: str
    partition: int
    offset: int | None


class Message(NamedTuple):
    """One message; `partition` None = by murmur2 of the key, any partition without a key."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None


class Batch:
    """Messages confirmed together: cheaper than one future each, and one answer for all of them.

    Not thread-safe for sending; deliveries arrive on the producer's own thread.
    """

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._lock = threading.Lock()
        self._outstanding = 1  # the batch itself, until it is sealed
        self._failure: ProduceError | None = None
        self._done: Future[None] = Future()

    def send(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = (), partition: int | None = None
    ) -> None:
        """Queue one message; waits while the queue is full. Raises as `Producer.send`."""
        with self._lock:
            self._outstanding += 1
        try:
            self._producer.enqueue(Message(topic, key, value, headers, partition), self._delivered)
        except ProduceError as error:
            self._settle(error)
            raise

    def confirm(self) -> Future[None]:
        """Seal the batch; the future is done when all messages are confirmed, or holds the first failure."""
        self._settle(None)
        return self._done

    def _delivered(self, error: Any, message: Any) -> None:
        self._settle(None if error is None else self._producer.explain(error, message.topic()))

    def _settle(self, failure: ProduceError | None) -> None:
        with self._lock:
            self._outstanding -= 1
            self._failure = self._failure or failure
            finished = self._outstanding == 0
        if finished and self._failure is not None:
            self._done.set_exception(self._failure)
        elif finished:
            self._done.set_result(None)


class Producer:
    """Thread-safe sender; its thread serves delivery reports until `close`.

    Raises:
        ValueError: librdkafka does not know a setting.
    """

    def __init__(self, settings: ProduceSettings) -> None:
        self.settings = settings
        self._last_error: str | None = None
        self._closed = threading.Event()
        self._kafka = kafka_producer(settings.librdkafka(), self._note)
        self._thread = threading.Thread(target=self._serve, name="deliveries", daemon=True)
        self._thread.start()

    def check(self, timeout_s: float = 5.0) -> str:
        """The cluster id, if a broker answers within the time.

        Raises:
            BrokerUnavailable: none does.
        """
        try:
            return str(self._kafka.list_topics(timeout=timeout_s).cluster_id)
        except KafkaException as error:
            raise self._unavailable(f"within {timeout_s:g} s") from error

    def send(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = (), partition: int | None = None
    ) -> Future[Delivered]:
        """Queue one message and return its confirmation; waits while the queue is full.

        Raises:
            EventTooLarge: the value exceeds `max_message_bytes`.
            BrokerUnavailable: the queue stayed full for the whole delivery time-out.
            ProducerClosed: after `close`.
        The future raises `BrokerUnavailable` or `DeliveryFailed`.
        """
        confirmed: Future[Delivered] = Future()
        self.enqueue(Message(topic, key, value, headers, partition), self._settling(confirmed))
        return confirmed

    async def send_async(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = (), partition: int | None = None
    ) -> Delivered:
        """As `send`, for asyncio: neither a full queue nor the confirmation blocks the loop."""
        confirmed: Future[Delivered] = Future()
        message, settle = Message(topic, key, value, headers, partition), self._settling(confirmed)
        deadline = time.monotonic() + self.settings.delivery_timeout_s
        while not self._try(message, settle):
            self._refuse_after(deadline)
            await asyncio.sleep(_WAIT_S)
        return await asyncio.wrap_future(confirmed)

    def batch(self) -> Batch:
        """An empty batch."""
        return Batch(self)

    def enqueue(self, message: Message, on_delivery: OnDelivery) -> None:
        """What `send` does, with librdkafka's own callback(error, message) instead of a future."""
        deadline = time.monotonic() + self.settings.delivery_timeout_s
        while not self._try(message, on_delivery):
            self._refuse_after(deadline)
            time.sleep(_WAIT_S)

    def flush(self, timeout_s: float | None = None) -> None:
        """Wait until nothing is outstanding.

        Raises:
            BrokerUnavailable: messages are still unconfirmed after the time (default: the delivery time-out).
        """
        limit = self.settings.delivery_timeout_s if timeout_s is None else timeout_s
        if left := self._kafka.flush(limit):
            raise self._unavailable(f"for {left} messages within {limit:g} s")

    def close(self) -> None:
        """Flush and stop; calling it again does nothing. Raises as `flush`, after stopping."""
        if self._closed.is_set():
            return
        self._closed.set()
        try:
            self.flush()
        finally:
            self._thread.join()

    def explain(self, error: Any, topic: str) -> ProduceError:
        """Our error for librdkafka's."""
        if error.code() in _UNREACHABLE:
            return self._unavailable(f"for topic {topic} within {self.settings.delivery_timeout_s:g} s")
        if error.code() in _NO_TOPIC:
            return DeliveryFailed(f"there is no topic {topic} at {self.settings.bootstrap_servers}; run `still init`")
        return refusal(error, topic)

    def _try(self, message: Message, on_delivery: OnDelivery) -> bool:
        """Queue the message; False while the queue is full."""
        if self._closed.is_set():
            raise ProducerClosed("this producer is closed; make a new one")
        where = {} if message.partition is None else {"partition": message.partition}
        headers = list(message.headers) or None
        try:
            self._kafka.produce(
                message.topic, message.value, message.key, on_delivery=on_delivery, headers=headers, **where
            )
        except BufferError:
            return False
        except KafkaException as error:
            raise self._refused(error.args[0], message) from error
        return True

    def _refused(self, error: Any, message: Message) -> ProduceError:
        if error.code() != KafkaError.MSG_SIZE_TOO_LARGE:
            return self.explain(error, message.topic)
        size, limit = len(message.value or b""), self.settings.max_message_bytes
        return EventTooLarge(f"{size} bytes for topic {message.topic} exceed the limit of {limit}; send less")

    def _settling(self, confirmed: Future[Delivered]) -> OnDelivery:
        def settle(error: Any, message: Any) -> None:
            if not confirmed.set_running_or_notify_cancel():
                return
            if error is not None:
                confirmed.set_exception(self.explain(error, message.topic()))
            else:
                confirmed.set_result(Delivered(message.topic(), message.partition(), message.offset()))

        return settle

    def _refuse_after(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise self._unavailable(f"with the queue full for {self.settings.delivery_timeout_s:g} s")

    def _unavailable(self, when: str) -> BrokerUnavailable:
        detail = f" ({self._last_error})" if self._last_error else ""
        servers = self.settings.bootstrap_servers
        return BrokerUnavailable(f"no broker at {servers} answered {when}{detail}; start it or mend bootstrap_servers")

    def _note(self, error: Any) -> None:
        self._last_error = error.str()

    def _serve(self) -> None:
        while not self._closed.is_set() or len(self._kafka):
            self._kafka.poll(0.1)


def kafka_producer(options: Mapping[str, Any], on_error: Callable[[Any], None]) -> Any:
    """The producer of librdkafka itself, silent but for `on_error`.

    Raises:
        ValueError: librdkafka does not know a setting.
    """
    try:
        return KafkaProducer({**options, "error_cb": on_error, "logger": _Quiet()})
    except KafkaException as error:
        raise ValueError(f"the Kafka client refuses its settings: {error.args[0].str()}") from error


def refusal(error: Any, topic: str) -> DeliveryFailed:
    """Our error for librdkafka's when a message is refused for good."""
    return DeliveryFailed(f"topic {topic} refused a message: {error.str()} ({error.name()})")


class _Quiet:
    """Drops librdkafka's log: what matters reaches the caller as an error."""

    def log(self, *_: Any) -> None:
        """Drop one line."""
