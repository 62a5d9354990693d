"""The partition of a key agrees with Kafka's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from still.embedded.stack import Stack
from streams.partition import murmur2, partition_of
from streams.produce import Producer, ProduceSettings

# From Apache Kafka's own test of Utils.murmur2 (signed there).
VECTORS = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize("key", VECTORS)
def test_murmur2_gives_kafkas_figures(key: bytes) -> None:
    """Kafka's published vectors come out."""
    assert VECTORS[key] % 2**32 == murmur2(key)


@given(st.binary(), st.integers(1, 64))
def test_a_partition_is_one_of_those_there_are(key: bytes, partitions: int) -> None:
    """Every key has a partition, always the same."""
    assert 0 <= partition_of(key, partitions) < partitions
    assert partition_of(key, partitions) == partition_of(key, partitions)


def test_the_producer_puts_a_key_where_we_say(stack: Stack, topics: str) -> None:
    """Librdkafka's partitioner and ours agree on what the broker gets."""
    producer = Producer(ProduceSettings(stack.bootstrap_servers))
    keys = [f"contact-{number}".encode() for number in range(40)]
    confirmed = [producer.send(f"{topics}examples", key, b"x").result(30) for key in keys]
    partitions = len(producer._kafka.list_topics(f"{topics}examples").topics[f"{topics}examples"].partitions)
    producer.close()
    assert [partition_of(key, partitions) for key in keys] == [one.partition for one in confirmed]
