"""Apache Kafka for a benchmark: the project's own broker, in a temporary folder, on a core of its own."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from still.embedded.apache.broker import apache_child
from still.embedded.ports import LOOPBACK, choose_port
from still.embedded.supervisor import Supervisor

BROKER_CORE = 0
QUIET = {"log_level": 0, "log.connection.close": False}


@contextlib.contextmanager
def apache() -> Iterator[str]:
    """A running broker's address; its data goes with the context. This process moves to the broker's core for good.

    Raises:
        MissingPartError: no Java or Maven.
        ChildFailedError: the broker does not start.
    """
    os.sched_setaffinity(0, {BROKER_CORE})
    with tempfile.TemporaryDirectory() as folder:
        port = choose_port(0)
        supervisor = Supervisor(Path(folder) / "logs")
        try:
            supervisor.start([apache_child(port, Path(folder) / "kafka")])
            yield f"{LOOPBACK}:{port}"
        finally:
            supervisor.stop()


def make_topic(servers: str, name: str, partitions: int) -> None:
    """A new topic, there on return."""
    admin = AdminClient({"bootstrap.servers": servers, **QUIET})
    for made in admin.create_topics([NewTopic(name, partitions, 1)]).values():
        made.result()
    meter = Meter(servers, name, partitions)
    while not meter.is_there():
        time.sleep(0.05)
    meter.close()


class Meter:
    """Counts the records of one topic from outside: whatever writes it, what the broker has is what counts."""

    def __init__(self, servers: str, topic: str, partitions: int) -> None:
        self._consumer = Consumer({"bootstrap.servers": servers, "group.id": "bench.meter", **QUIET})
        self._partitions = [TopicPartition(topic, partition) for partition in range(partitions)]

    def count(self) -> int:
        """Records that are there now."""
        ends = (self._consumer.get_watermark_offsets(partition, timeout=10) for partition in self._partitions)
        return sum(high for _, high in ends)

    def is_there(self) -> bool:
        """Whether every partition has its leader, which takes a moment after the topic was made."""
        try:
            self.count()
        except KafkaException:
            return False
        return True

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()
