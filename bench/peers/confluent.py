"""A loop of the Confluent client: consume, produce, and after every 20,000 events flush and commit.

Weaker than ours: `flush` waits for every delivery but a failed one goes unnoticed.
"""

from __future__ import annotations

from confluent_kafka import Consumer, Producer

from bench.peers.work import PRODUCER, add_field, job

EVERY = 20_000


def main() -> None:
    """Copy until ended."""
    work = job()
    consumer = Consumer({
        "bootstrap.servers": work.bootstrap_servers,
        "group.id": work.target,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    })  # fmt: skip
    producer = Producer({"bootstrap.servers": work.bootstrap_servers, **PRODUCER})
    consumer.subscribe([work.source])
    since = 0
    while True:
        messages = consumer.consume(1000, 0.1)
        for message in messages:
            producer.produce(work.target, add_field(message.value() or b""), message.key(), message.partition() or 0)
        producer.poll(0)
        since += len(messages)
        if since and (since >= EVERY or not messages):
            producer.flush()
            consumer.commit(asynchronous=False)
            since = 0


if __name__ == "__main__":
    main()
