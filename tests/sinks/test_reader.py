"""Where reading begins is what the store says, and what the log no longer holds is said aloud."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from threading import Timer

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from structlog.testing import capture_logs

from sinks.errors import BrokerUnavailable
from sinks.reader import Reader
from sinks.settings import SinkSettings
from sinks.values import Partition
from tests.apache import ApacheNode

RECORDS = 10


class _From:
    """Says where to begin."""

    def __init__(self, offset: int) -> None:
        self.offset = offset

    def assigned(self, partitions: list[Partition]) -> Mapping[Partition, int]:
        """The same offset for each partition."""
        return dict.fromkeys(partitions, self.offset)

    def revoked(self, partitions: list[Partition]) -> None:
        """Nothing to finish."""


def _offsets(reader: Reader, count: int) -> list[int]:
    found: list[int] = []
    for _ in range(300):
        found += [record.offset for record in reader.read(0.1)]
        if len(found) >= count:
            break
    return found


@pytest.fixture(name="settings")
def _settings(apache: ApacheNode, topic_prefix: str) -> Iterator[SinkSettings]:
    """A topic of ten records."""
    topic = f"{topic_prefix}sink-reader.examples"
    admin = AdminClient({"bootstrap.servers": apache.bootstrap_servers})
    for made in admin.create_topics([NewTopic(topic, 1, 1)]).values():
        made.result()
    producer = Producer({"bootstrap.servers": apache.bootstrap_servers})
    for number in range(RECORDS):
        producer.produce(topic, str(number).encode(), partition=0)
    assert producer.flush(30) == 0
    yield SinkSettings(apache.bootstrap_servers, f"{topic_prefix}sink-reader.", topics=("examples",))
    admin.delete_topics([topic])


@pytest.mark.apache
def test_offsets_that_retention_took_are_named(settings: SinkSettings) -> None:
    """The sink goes on with what is left, and an error event says which offsets never landed."""
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers})
    where = TopicPartition(f"{settings.topic_prefix}examples", 0, 6)
    for removed in admin.delete_records([where]).values():
        removed.result()
    reader = Reader(settings, _From(2))
    with capture_logs() as events:
        reader.open()
        assert _offsets(reader, 4) == [6, 7, 8, 9]
    reader.close()
    (event,) = [event for event in events if event["event"] == "removed_before_landing"]
    assert (event["log_level"], event["first"], event["last"]) == ("error", 2, 5)


@pytest.mark.apache
def test_a_log_that_ends_before_the_last_landed_offset_stops_the_sink(settings: SinkSettings) -> None:
    """A topic made anew under the same cluster id would otherwise be dropped as landed, record by record."""
    reader = Reader(settings, _From(RECORDS + 5))
    reader.open()
    with pytest.raises(BrokerUnavailable, match="made anew"):
        _offsets(reader, 1)
    reader.close()


@pytest.mark.apache
def test_a_partition_that_has_landed_whole_waits(settings: SinkSettings) -> None:
    """The first offset that does not exist yet is no error."""
    reader = Reader(settings, _From(RECORDS))
    reader.open()
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers})
    producer.produce(f"{settings.topic_prefix}examples", b"next", partition=0)
    assert producer.flush(30) == 0
    assert _offsets(reader, 1) == [RECORDS]
    reader.close()


@pytest.mark.apache
def test_a_member_that_is_fenced_ends(settings: SinkSettings) -> None:
    """Another took its name, or the broker says so after its own restart: it must not sit there and read nothing."""
    shared = replace(settings, is_shared=True, instance="one")
    first, second = Reader(shared, _From(0)), Reader(shared, _From(0))
    first.open()
    assert len(_offsets(first, RECORDS)) == RECORDS
    second.open()
    with pytest.raises(BrokerUnavailable, match="fenced"):
        _offsets(first, 1)
    first.close()
    second.close()


class _AmidTrouble(_From):
    """On its assignment the topic is gone, and comes back a moment later."""

    def __init__(self, settings: SinkSettings) -> None:
        super().__init__(0)
        self._admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers})
        self._topic = f"{settings.topic_prefix}examples"
        self.back = Timer(1.0, self._make)

    def assigned(self, partitions: list[Partition]) -> Mapping[Partition, int]:
        """See `_From`."""
        for gone in self._admin.delete_topics([self._topic]).values():
            gone.result()
        time.sleep(6.0)  # by then the reader's client, which asks every five seconds, has heard that it is gone
        self.back.start()
        return super().assigned(partitions)

    def _make(self) -> None:
        for made in self._admin.create_topics([NewTopic(self._topic, 1, 1)]).values():
            made.result()


@pytest.mark.apache
def test_where_a_partition_begins_is_asked_again(settings: SinkSettings) -> None:
    """A node that has just died, or just come back, fails the first question: the sink waits for the next answer."""
    trouble = _AmidTrouble(settings)
    reader = Reader(settings, trouble)
    reader.open()
    trouble.back.join()
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers})
    producer.produce(f"{settings.topic_prefix}examples", b"first", partition=0)
    assert producer.flush(30) == 0
    assert _offsets(reader, 1) == [0]
    reader.close()
