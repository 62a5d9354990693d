"""The embedded broker under librdkafka, as far as our processes rely on it."""

import time

from confluent_kafka import Consumer, Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic  # `admin` does not export it to type checkers

from still.embedded.broker import cluster_id_of
from still.embedded.stack import Stack


def _produce(stack: Stack, topic: str, partition: int, count: int) -> list[int]:
    offsets: list[int] = []
    producer = Producer({"bootstrap.servers": stack.bootstrap_servers, "enable.idempotence": True, "acks": "all"})

    def delivered(error: object, message: Message) -> None:
        assert error is None
        offsets.append(message.offset() or 0)

    for i in range(count):
        headers: dict[str, str | bytes | None] = {"content-type": b"application/json"}
        producer.produce(
            topic, str(i), key=f"k{i}", partition=partition, headers=headers, timestamp=1_700_000_000_000 + i,
            on_delivery=delivered,
        )  # fmt: skip
    assert producer.flush(10) == 0
    return offsets


def test_produced_records_come_back_as_they_were(stack: Stack, topic_prefix: str) -> None:
    """Partitions, order, keys, headers and timestamps survive; the idempotent producer is accepted."""
    topic = f"{topic_prefix}events"
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
    admin.create_topics([NewTopic(topic, num_partitions=4, replication_factor=1)])[topic].result(10)
    assert len(admin.list_topics(topic, timeout=5).topics[topic].partitions) == 4
    assert _produce(stack, topic, 3, 100) == list(range(100))
    consumer = Consumer(
        {
            "bootstrap.servers": stack.bootstrap_servers,
            "group.id": topic,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": 6000,
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    records: list[Message] = []
    deadline = time.monotonic() + 20
    while len(records) < 100 and time.monotonic() < deadline:
        records.extend(consumer.consume(100, timeout=0.5))
    consumer.commit(asynchronous=False)
    consumer.close()
    assert [record.value() for record in records] == [str(i).encode() for i in range(100)]
    assert {record.partition() for record in records} == {3}
    assert records[7].headers() == [("content-type", b"application/json")]
    assert records[7].timestamp()[1] == 1_700_000_000_007


def test_cluster_id_is_the_stacks(stack: Stack) -> None:
    """The broker names the cluster id that provenance carries; a dead address has none."""
    assert cluster_id_of(stack.bootstrap_servers) == stack.cluster_id
    assert stack.cluster_id.startswith("still-")
    assert cluster_id_of("127.0.0.1:1", timeout_s=0.2) is None
