"""Apache Kafka as the embedded broker: what it acknowledged outlives kill -9."""

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from still.embedded.broker import cluster_id_of
from tests.apache import ApacheNode

QUIET = {"log_level": 0, "log.connection.close": False}


@pytest.mark.apache
def test_acknowledged_record_survives_kill(own_apache: ApacheNode) -> None:
    """A record that the broker acknowledged is there after kill -9, under the same cluster id."""
    servers = own_apache.bootstrap_servers
    cluster = cluster_id_of(servers)
    admin = AdminClient({"bootstrap.servers": servers, **QUIET})
    for made in admin.create_topics([NewTopic("kept", 4, 1)]).values():
        made.result()
    producer = Producer({"bootstrap.servers": servers, "enable.idempotence": True, "acks": "all", **QUIET})
    producer.produce("kept", b"kept")
    assert producer.flush(30) == 0
    own_apache.kill()
    own_apache.start()
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "g", "auto.offset.reset": "earliest", **QUIET})
    consumer.subscribe(["kept"])
    message = consumer.poll(30)
    consumer.close()
    assert message is not None
    assert message.value() == b"kept"
    assert cluster_id_of(servers) == cluster
