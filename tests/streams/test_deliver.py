"""Delivery tries again while nobody answers, and ends when time is up or the broker refuses."""

from __future__ import annotations

import socket

import pytest

from still.embedded.stack import Stack
from streams.deliver import Delivery, Outgoing
from streams.errors import BrokerUnavailable, DeliveryFailed
from streams.metrics import RecordedMetrics
from streams.produce import Producer, ProduceSettings
from tests.streams.log import make_topics, read


def test_a_confirmed_batch_lies_on_its_partitions_in_order(stack: Stack, topic_prefix: str) -> None:
    """What confirm returned for can be read, on the partition that was named."""
    make_topics(stack.bootstrap_servers, topic_prefix)
    producer, metrics = Producer(ProduceSettings(stack.bootstrap_servers)), RecordedMetrics()
    topic = f"{topic_prefix}scores"
    batch = [Outgoing(topic, number % 2, b"k", str(number).encode()) for number in range(100)]
    Delivery(producer, metrics, 10.0).confirm(batch)
    producer.close()
    found = [(message.partition(), message.value()) for message in read(stack.bootstrap_servers, topic)]
    assert found == sorted(((out.partition, out.value) for out in batch), key=lambda one: one[0])
    assert metrics.counts["records_produced", topic] == 100


def test_nobody_answering_is_tried_again_until_time_is_up() -> None:
    """A broker that is not there costs retries, then raises: the source stays unacknowledged."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        servers = f"127.0.0.1:{taken.getsockname()[1]}"
        producer = Producer(ProduceSettings(servers, delivery_timeout_s=0.3))
        metrics = RecordedMetrics()
        with pytest.raises(BrokerUnavailable):
            Delivery(producer, metrics, give_up_after_s=1.0).confirm([Outgoing("t", 0, b"k", b"v")])
        producer.close()
    assert metrics.counts["produce_retries", "t"] >= 1


def test_a_refused_record_is_not_tried_again(stack: Stack, topic_prefix: str) -> None:
    """A partition that does not exist is no matter of patience."""
    make_topics(stack.bootstrap_servers, topic_prefix)
    producer, metrics = Producer(ProduceSettings(stack.bootstrap_servers)), RecordedMetrics()
    topic = f"{topic_prefix}scores"
    with pytest.raises(DeliveryFailed):
        Delivery(producer, metrics, 5.0).confirm([Outgoing(topic, 99, b"k", b"v")])
    producer.close()
    assert metrics.counts["produce_retries", topic] == 0
