"""Apache Kafka of one or three nodes on loopback, each killed and started on its own; durable in its folder.

`python -m tests.crash.cluster --folder FOLDER --node N --parent PID` turns itself into node N of a prepared folder.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

from still.embedded.apache.jars import fetched_jars, java
from still.embedded.parent import die_with_parent
from still.embedded.ports import LOOPBACK, choose_port

_QUIET = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
_HEAP = "-Xmx768m"

_PROPERTIES = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
default.replication.factor={replication}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={replication}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={replication}
transaction.state.log.min.isr={in_sync}
share.coordinator.state.topic.replication.factor={replication}
share.coordinator.state.topic.min.isr={in_sync}
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=3000
broker.session.timeout.ms=6000
broker.heartbeat.interval.ms=500
auto.create.topics.enable=false
message.max.bytes=2000000
log.cleaner.backoff.ms=2000
"""


class Cluster:
    """The nodes of one folder: ports and cluster id are chosen once, so that a later process finds the same log."""

    def __init__(self, folder: Path, nodes: int) -> None:
        self._folder = folder
        self._plan = self._planned(nodes)
        self.nodes: int = len(self._plan["ports"])
        self.bootstrap_servers = ",".join(f"{LOOPBACK}:{port}" for port in self._plan["ports"])

    def address(self, node: int) -> str:
        """One node's own."""
        return f"{LOOPBACK}:{self._plan['ports'][node]}"

    def start(self, node: int) -> subprocess.Popen[bytes]:
        """Start a node; its output goes to `node-N.log`."""
        argv = [sys.executable, "-m", "tests.crash.cluster", "--folder", str(self._folder), "--node", str(node)]
        with (self._folder / f"node-{node}.log").open("ab") as log:
            return subprocess.Popen([*argv, "--parent", str(os.getpid())], stdout=log, stderr=log)

    def _planned(self, nodes: int) -> dict[str, list[int]]:
        file = self._folder / "cluster.json"
        if not file.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            ports = _free_ports(2 * nodes)
            self._prepare(ports[:nodes], ports[nodes:])
            file.write_text(json.dumps({"ports": ports[:nodes]}), encoding="ascii")
        plan: dict[str, list[int]] = json.loads(file.read_text(encoding="ascii"))
        return plan

    def _prepare(self, ports: list[int], controllers: list[int]) -> None:
        id_ = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")
        voters = ",".join(f"{node + 1}@{LOOPBACK}:{port}" for node, port in enumerate(controllers))
        for node, port in enumerate(ports):
            properties = self._folder / f"node-{node}.properties"
            text = _PROPERTIES.format(
                node=node + 1, voters=voters, host=LOOPBACK, port=port, controller=controllers[node],
                data=self._folder / f"node-{node}", replication=min(3, len(ports)), in_sync=2 if len(ports) > 2 else 1,
            )  # fmt: skip
            properties.write_text(text, encoding="ascii")
            tool = ("kafka.tools.StorageTool", "format", "-t", id_, "-c", str(properties))
            subprocess.run([*_java(), *tool], check=True, capture_output=True)


def _java() -> list[str]:
    return [java(), _HEAP, _QUIET, "-cp", f"{fetched_jars()}/*"]


def _free_ports(count: int) -> list[int]:
    ports: list[int] = []
    while len(ports) < count:
        if (port := choose_port(0)) not in ports:
            ports.append(port)
    return ports


def main() -> None:
    """Becomes the broker process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--node", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True, help="process id whose end ends the broker")
    arguments = parser.parse_args()
    die_with_parent(arguments.parent)
    argv = [*_java(), "kafka.Kafka", str(arguments.folder / f"node-{arguments.node}.properties")]
    os.execv(argv[0], argv)


if __name__ == "__main__":
    main()
