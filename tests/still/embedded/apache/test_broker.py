"""Apache Kafka as the embedded broker: what it acknowledged outlives kill -9."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from still.embedded.apache.broker import apache_child
from still.embedded.broker import cluster_id_of
from still.embedded.child import Child
from still.embedded.ports import LOOPBACK, choose_port

_MISSING = [tool for tool in ("java", "mvn") if shutil.which(tool) is None]
pytestmark = pytest.mark.skipif(
    bool(_MISSING) and os.environ.get("REQUIRE_APACHE") != "1",
    reason=f"Apache Kafka needs {' and '.join(_MISSING)}; set REQUIRE_APACHE=1 to fail instead of skipping",
)
QUIET = {"log_level": 0, "log.connection.close": False}


def _start(child: Child) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(child.argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 110
    while not child.ready():
        assert process.poll() is None, "the broker ended before it was ready"
        assert time.monotonic() < deadline, "the broker was not ready in time"
    return process


@pytest.fixture(name="broker")
def _broker(tmp_path: Path) -> Iterator[tuple[Child, list[subprocess.Popen[bytes]], str]]:
    port = choose_port(0)
    child = apache_child(port, tmp_path / "kafka")
    running = [_start(child)]
    yield child, running, f"{LOOPBACK}:{port}"
    running[-1].kill()
    running[-1].wait()


@pytest.mark.timeout(240)
def test_acknowledged_record_survives_kill(broker: tuple[Child, list[subprocess.Popen[bytes]], str]) -> None:
    """A record that the broker acknowledged is there after kill -9, under the same cluster id."""
    child, running, servers = broker
    cluster = cluster_id_of(servers)
    admin = AdminClient({"bootstrap.servers": servers, **QUIET})
    for made in admin.create_topics([NewTopic("kept", 4, 1)]).values():
        made.result()
    producer = Producer({"bootstrap.servers": servers, "enable.idempotence": True, "acks": "all", **QUIET})
    producer.produce("kept", b"kept")
    assert producer.flush(30) == 0
    running[-1].kill()
    running[-1].wait()
    running.append(_start(child))
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "g", "auto.offset.reset": "earliest", **QUIET})
    consumer.subscribe(["kept"])
    message = consumer.poll(30)
    consumer.close()
    assert message is not None
    assert message.value() == b"kept"
    assert cluster_id_of(servers) == cluster
