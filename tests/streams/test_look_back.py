"""A stage sees what a real broker's log had before a position."""

from __future__ import annotations

from itertools import islice

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from still.embedded.stack import Stack
from streams.deliver import Delivery, Outgoing
from streams.errors import BrokerUnavailable
from streams.look_back import FIRST_WINDOW, LARGEST_WINDOW, LookBack
from streams.metrics import NoMetrics
from streams.produce import ProduceSettings
from tests.apache import ApacheNode
from tests.streams.log import make_topics

MANY = 2 * LARGEST_WINDOW


@pytest.fixture(params=["tansu", pytest.param("apache", marks=pytest.mark.apache)])
def bootstrap_servers(request: pytest.FixtureRequest) -> str:
    """Of either broker."""
    broker: Stack | ApacheNode = request.getfixturevalue("stack" if request.param == "tansu" else "apache")
    return broker.bootstrap_servers


def test_records_come_back_the_newest_first(bootstrap_servers: str, topic_prefix: str) -> None:
    """From anywhere to the first, over windows of any size, of the partition asked for and no other."""
    make_topics(bootstrap_servers, topic_prefix)
    topic = f"{topic_prefix}conversations"
    delivery = Delivery(ProduceSettings(bootstrap_servers), NoMetrics(), 30.0)
    delivery.confirm([Outgoing(topic, 1, b"key", b"%d" % number) for number in range(MANY)])
    delivery.confirm([Outgoing(topic, 3, None, None)])
    back = LookBack(bootstrap_servers, topic, {})
    for end in (0, 1, FIRST_WINDOW, FIRST_WINDOW + 1, MANY):
        found = list(back.before(1, end))
        assert [(one.offset, one.key, one.value) for one in found] == [
            (number, b"key", b"%d" % number) for number in reversed(range(end))
        ]
    (only,) = back.before(3, 1)
    assert (only.offset, only.value) == (0, None)
    assert [one.offset for one in islice(back.before(1, MANY), 2)] == [MANY - 1, MANY - 2]


@pytest.mark.apache
def test_what_has_expired_is_not_waited_for(apache: ApacheNode, topic_prefix: str) -> None:
    """Where retention has taken older records, those that are left come back; where it has taken all, none."""
    make_topics(apache.bootstrap_servers, topic_prefix)
    topic = f"{topic_prefix}conversations"
    Delivery(ProduceSettings(apache.bootstrap_servers), NoMetrics(), 30.0).confirm(
        [Outgoing(topic, 1, b"key", b"%d" % number) for number in range(30)]
    )
    admin = AdminClient({"bootstrap.servers": apache.bootstrap_servers})
    (done,) = admin.delete_records([TopicPartition(topic, 1, 20)]).values()
    assert done.result(30).low_watermark == 20
    back = LookBack(apache.bootstrap_servers, topic, {})
    assert [one.offset for one in back.before(1, 29)] == list(range(28, 19, -1))
    assert [one.offset for end in (22, 20, 15) for one in back.before(1, end)] == [21, 20]


def test_a_broker_that_is_away_is_named() -> None:
    """Nobody answers: the error names the partition."""
    with pytest.raises(BrokerUnavailable, match=r"conversations\[1\] cannot be read back"):
        list(LookBack("127.0.0.1:1", "conversations", {}, patience_s=0.5).before(1, 5))
