"""Delivery waits while nobody answers, and ends when time is up or the broker refuses."""

from __future__ import annotations

import socket
import threading

import pytest

from still.embedded.stack import Stack
from streams.deliver import Delivery, Outgoing
from streams.errors import BrokerUnavailable, DeliveryFailed
from streams.metrics import RecordedMetrics
from streams.produce import ProduceSettings
from tests.apache import ApacheNode
from tests.streams.log import eventually, make_topics, read


def test_a_confirmed_batch_lies_on_its_partitions_in_order(stack: Stack, topic_prefix: str) -> None:
    """What confirm returned for can be read, on the partition that was named."""
    make_topics(stack.bootstrap_servers, topic_prefix)
    metrics = RecordedMetrics()
    topic = f"{topic_prefix}scores"
    batch = [Outgoing(topic, number % 2, b"k", str(number).encode()) for number in range(100)]
    Delivery(ProduceSettings(stack.bootstrap_servers), metrics, 10.0).confirm(batch)
    found = [(message.partition(), message.value()) for message in read(stack.bootstrap_servers, topic)]
    assert found == sorted(((out.partition, out.value) for out in batch), key=lambda one: one[0])
    assert metrics.counts["records_produced", topic] == 100


def test_nobody_answering_is_waited_for_until_time_is_up() -> None:
    """A broker that is not there is told and waited for, then raises: the source stays unacknowledged."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        servers = f"127.0.0.1:{taken.getsockname()[1]}"
        metrics = RecordedMetrics()
        with pytest.raises(BrokerUnavailable):
            Delivery(ProduceSettings(servers), metrics, give_up_after_s=1.0).confirm([Outgoing("t", 0, b"k", b"v")])
        assert metrics.counts["produce_waits", "t"] >= 1


def test_a_refused_record_is_not_tried_again(stack: Stack, topic_prefix: str) -> None:
    """A partition that does not exist is no matter of patience."""
    make_topics(stack.bootstrap_servers, topic_prefix)
    metrics = RecordedMetrics()
    topic = f"{topic_prefix}scores"
    with pytest.raises(DeliveryFailed):
        Delivery(ProduceSettings(stack.bootstrap_servers), metrics, 5.0).confirm([Outgoing(topic, 99, b"k", b"v")])
    assert metrics.counts["produce_waits", topic] == 0


def test_more_than_the_queue_holds_goes_through_in_order(stack: Stack, topic_prefix: str) -> None:
    """A full queue makes confirm wait, not fail, and changes no order."""
    make_topics(stack.bootstrap_servers, topic_prefix)
    topic = f"{topic_prefix}scores"
    batch = [Outgoing(topic, 1, b"k", b"%d" % number + bytes(1000)) for number in range(1000)]
    settings = ProduceSettings(stack.bootstrap_servers, max_queue_kib=64)
    Delivery(settings, RecordedMetrics(), 30.0).confirm(batch)
    assert [message.value() for message in read(stack.bootstrap_servers, topic)] == [out.value for out in batch]


@pytest.mark.apache
@pytest.mark.timeout(240)
def test_a_killed_broker_costs_time_but_no_record_and_no_order(own_apache: ApacheNode, topic_prefix: str) -> None:
    """Batches go on where they were when the broker is back: each record once, in order; none is sent anew."""
    servers = own_apache.bootstrap_servers
    make_topics(servers, topic_prefix)
    topic, metrics = f"{topic_prefix}scores", RecordedMetrics()
    delivery = Delivery(ProduceSettings(servers), metrics, 120.0)
    values = [b"%d" % number + bytes(200) for number in range(200_000)]

    def send() -> None:
        for first in range(0, len(values), 2000):
            delivery.confirm([Outgoing(topic, 0, b"k", value) for value in values[first : first + 2000]])

    sender = threading.Thread(target=send)
    sender.start()
    eventually(lambda: metrics.counts["records_produced", topic] > 0, 60, "the first confirmed batch")
    own_apache.kill()
    assert metrics.counts["records_produced", topic] < len(values)
    own_apache.start()
    sender.join(120)
    assert not sender.is_alive()
    assert [message.value() for message in read(servers, topic)] == values
