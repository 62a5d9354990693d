"""The practical limit: aiokafka's `getmany` and librdkafka's producer, nothing between them.

Weaker than ours: never commits, and `flush` at every fetch says that nothing is under way, not that all arrived.
"""

from __future__ import annotations

import uvloop
from aiokafka import AIOKafkaConsumer
from confluent_kafka import Producer

from bench.peers.work import PRODUCER, Job, add_field, job


async def main(work: Job) -> None:
    """Copy until ended."""
    consumer = AIOKafkaConsumer(
        work.source,
        bootstrap_servers=work.bootstrap_servers,
        group_id=work.target,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    producer = Producer({"bootstrap.servers": work.bootstrap_servers, **PRODUCER})
    await consumer.start()
    while True:
        for tp, records in (await consumer.getmany(timeout_ms=1000, max_records=20_000)).items():
            for record in records:
                producer.produce(work.target, add_field(record.value), record.key, tp.partition)
            producer.poll(0)
        while len(producer) > 100_000:
            producer.poll(0.01)


if __name__ == "__main__":
    uvloop.run(main(job()))
