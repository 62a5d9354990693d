"""`python -m still.embedded.apache.broker` turns itself into an Apache Kafka broker: KRaft, one node, on loopback.

Unlike the default broker it is durable: its cluster id is made once and stays with its folder.
"""

from __future__ import annotations

import argparse
import base64
import os
import subprocess
import sys
import uuid
from pathlib import Path

from still.embedded.apache.jars import FETCH_SECONDS, fetched_jars, java
from still.embedded.broker import cluster_id_of
from still.embedded.child import Child
from still.embedded.errors import ChildFailedError
from still.embedded.parent import die_with_parent
from still.embedded.ports import LOOPBACK, choose_port

START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_HEAP = "-Xmx1g"
_LOG_LEVEL = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
_FORMATTED = "formatted"

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=3000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
auto.create.topics.enable=false
message.max.bytes=2000000
"""
"""Of one node; {host}, {port}, {controller} (its port) and {data} are filled in."""


def apache_child(port: int, folder: Path) -> Child:
    """Apache Kafka as a child of the supervisor, listening on loopback at `port`, its data under `folder`."""
    argv = (sys.executable, "-m", "still.embedded.apache.broker", "--port", str(port), "--folder", str(folder))
    return Child(
        name="broker",
        argv=(*argv, "--parent", str(os.getpid())),
        ready=lambda: cluster_id_of(f"{LOOPBACK}:{port}") is not None,
        ready_timeout_s=START_SECONDS + FETCH_SECONDS,
        # It flushes every log and hands over its leadership before it goes.
        stop_grace_s=_STOP_SECONDS,
    )


def prepare(port: int, folder: Path) -> tuple[str, ...]:
    """Format the data folder at first use; the command line that runs the broker.

    Raises:
        MissingPartError: no Java or no jars.
        ChildFailedError: the folder cannot be formatted.
    """
    classes = f"{fetched_jars()}/*"
    properties = folder / "server.properties"
    # Nobody but the node itself needs the controller's port; a fixed one would meet that of a node that starts now.
    values = {"host": LOOPBACK, "port": port, "controller": choose_port(0), "data": folder / "data"}
    properties.write_text(PROPERTIES.format(**values), encoding="ascii")
    if not (folder / _FORMATTED).exists():
        _format(folder, classes, properties)
    return (java(), _HEAP, _LOG_LEVEL, "-cp", classes, "kafka.Kafka", str(properties))


def _format(folder: Path, classes: str, properties: Path) -> None:
    """Once per folder: a start of Java saved at every later one."""
    tool = (java(), _LOG_LEVEL, "-cp", classes, "kafka.tools.StorageTool", "format", "--ignore-formatted")
    argv = (*tool, "-t", _cluster_id(folder / "cluster.id"), "-c", str(properties))
    done = subprocess.run(argv, capture_output=True, text=True, timeout=START_SECONDS, check=False)
    if done.returncode:
        raise ChildFailedError(f"Apache Kafka cannot format {folder / 'data'}: {done.stderr.strip()[-300:]}")
    (folder / _FORMATTED).touch()


def _cluster_id(file: Path) -> str:
    """22 letters of base64, as Kafka wants it; made once."""
    if not file.exists():
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # A leading dash would be read as an option by Kafka's own tools.
        file.write_text(text.replace("-", "A"), encoding="ascii")
    return file.read_text(encoding="ascii")


def main() -> None:
    """Becomes the broker process."""
    parser = argparse.ArgumentParser(description="Run Apache Kafka on loopback.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--parent", type=int, required=True, help="process id whose end ends the broker")
    arguments = parser.parse_args()
    die_with_parent(arguments.parent)
    folder = arguments.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    argv = prepare(arguments.port, folder)
    os.execv(argv[0], argv)


if __name__ == "__main__":
    main()
