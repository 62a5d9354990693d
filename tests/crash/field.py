"""The processes of a long run: broker, ClickHouse, workers, sinks and publisher; what outlives a kill may be killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

from confluent_kafka.admin import AdminClient

from sinks.clickhouse.client import Client, connect
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.settings import TableSettings
from sinks.tables import by_topic
from still.embedded.broker import broker_child, cluster_id_of
from still.embedded.child import Child
from still.embedded.clickhouse.child import clickhouse_child
from still.embedded.ports import LOOPBACK, choose_port
from still.readiness import is_ready
from streams.topics import ensure_topics
from tests.crash.cluster import Cluster
from tests.crash.victims import Deaths, Kind, Victim

PARTITIONS = 4
DATABASE = "crash"
INACTIVITY_S = 30
LANDED = tuple(topic for topic in by_topic() if topic != "model.events")
READY_S = 120.0
WORKER_LIFE_S, SINK_LIFE_S, CLICKHOUSE_LIFE_S, PUBLISHER_LIFE_S, BROKER_LIFE_S = 20.0, 12.0, 30.0, 100.0, 150.0
"""How long each may live after it is ready; the mean is half of it. One of several lives longer in proportion."""


class Broker(Protocol):
    """What a run needs of its broker."""

    bootstrap_servers: str
    replication: int

    def kinds(self) -> list[Kind]:
        """Its nodes, where they may be killed."""

    def close(self) -> None:
        """End what is no victim."""


class Tansu:
    """The embedded broker: memory only, so that its own death is outside the promise."""

    replication = 1

    def __init__(self, folder: Path) -> None:
        port = choose_port(0)
        self.bootstrap_servers = f"{LOOPBACK}:{port}"
        self.process = spawn(broker_child(port).argv, folder / "broker.log")

    def kinds(self) -> list[Kind]:
        """None."""
        return []

    def close(self) -> None:
        """End it."""
        _end(self.process)


class Apache:
    """Apache Kafka of one or three nodes."""

    def __init__(self, folder: Path, nodes: int) -> None:
        self._cluster = Cluster(folder / "kafka", nodes)
        self.bootstrap_servers = self._cluster.bootstrap_servers
        self.replication = nodes

    def kinds(self) -> list[Kind]:
        """Every node."""
        cluster = self._cluster
        life_s = BROKER_LIFE_S * cluster.nodes
        return [
            Kind(f"broker-{n}", partial(cluster.start, n), partial(_answers, cluster.address(n)), life_s)
            for n in range(cluster.nodes)
        ]

    def close(self) -> None:
        """Nothing: every node is a victim."""


BROKERS: dict[str, Callable[[Path], Broker]] = {
    "tansu": Tansu,
    "apache": partial(Apache, nodes=1),
    "apache3": partial(Apache, nodes=3),
}


class Traffic(NamedTuple):
    """What the publisher process is told."""

    journal: Path
    seed: int
    events: int
    rate: float


class Field:
    """All processes of one folder, `members` workers and as many sinks; `step` keeps them going, and under fire."""

    def __init__(self, folder: Path, broker: Broker, deaths: Deaths, traffic: Traffic, members: int) -> None:
        self.bootstrap_servers = broker.bootstrap_servers
        self._broker = broker
        self._folder = folder
        self._seed = traffic.seed
        self._deaths = deaths
        engine = clickhouse_child(folder / "clickhouse", port := choose_port(0))
        self.clickhouse_url = f"http://{LOOPBACK}:{port}"
        self._stores = [self._victim(kind) for kind in (*broker.kinds(), self._clickhouse(engine))]
        self.settle()
        self.client = _tables(self.clickhouse_url)
        self.cluster_id = str(cluster_id_of(self.bootstrap_servers))
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        ensure_topics(admin, "", PARTITIONS, broker.replication)
        self._members = [self._victim(kind) for kind in (*self._workers(members), *self._sinks(members))]
        self._publisher = self._victim(self._generator(traffic))
        self.published = False

    def step(self, *, fire: bool) -> None:
        """Start what is down, kill what is due."""
        for victim in (*self._stores, *self._members):
            victim.step(fire=fire)
        process = self._publisher.process
        self.published = self.published or (process is not None and process.poll() == 0)
        if not self.published:
            self._publisher.step(fire=fire)
        time.sleep(0.02)

    def settle(self) -> None:
        """Return when every broker and ClickHouse run and answer; nothing is killed meanwhile."""
        deadline = time.monotonic() + READY_S
        while not (all(victim.is_up() for victim in self._stores) and _answers(self.bootstrap_servers)):
            assert time.monotonic() < deadline, f"broker or ClickHouse not ready in {READY_S:.0f} s; see {self._folder}"
            for victim in self._stores:
                victim.step(fire=False)
            time.sleep(0.2)

    def stop_gracefully(self) -> None:
        """SIGTERM to one after the other, sinks last; each must end by itself with status 0."""
        for victim in self._members:
            status = victim.stop(signal.SIGTERM)
            assert status == 0, f"{victim.kind.name} ended with status {status} when asked to stop"

    def close(self) -> None:
        """End all that is left, by kill -9."""
        for victim in (self._publisher, *self._members, *reversed(self._stores)):
            _end(victim.process)
        self._broker.close()

    def _victim(self, kind: Kind) -> Victim:
        return Victim(kind, self._seed, self._deaths)

    def _clickhouse(self, child: Child) -> Kind:
        """Its folder outlives every kill, its port too."""
        start = partial(spawn, child.argv, self._folder / "clickhouse.log")
        return Kind(child.name, start, child.ready, CLICKHOUSE_LIFE_S)

    def _workers(self, members: int) -> Iterator[Kind]:
        """Each has a folder of its own, whose name is its static one in the group."""
        for name in (f"worker-{number}" for number in range(members)):
            own = self._folder / name
            start = self._module(name, "worker_process", self.bootstrap_servers, "", str(own), str(INACTIVITY_S))
            yield Kind(name, start, partial(is_ready, own, "worker"), WORKER_LIFE_S * members)

    def _sinks(self, members: int) -> Iterator[Kind]:
        """One alone takes every partition; several share them, by name."""
        for name in (f"sink-{number}" for number in range(members)):
            own = self._folder / name
            share = ("--share", name) if members > 1 else ()
            where = (self.bootstrap_servers, "", self.clickhouse_url, DATABASE, str(own), ",".join(LANDED))
            start = self._module(name, "sink_process", *where, *share)
            yield Kind(name, start, partial(is_ready, own, "sink"), SINK_LIFE_S * members)

    def _generator(self, traffic: Traffic) -> Kind:
        start = self._module("publisher", "generate", self.bootstrap_servers, "", *map(str, traffic))
        return Kind("publisher", start, lambda: True, PUBLISHER_LIFE_S)

    def _module(self, who: str, module: str, *arguments: str) -> Callable[[], subprocess.Popen[bytes]]:
        argv = (sys.executable, "-m", f"tests.crash.{module}", *arguments)
        return partial(spawn, argv, self._folder / f"{who}.log")


def spawn(argv: tuple[str, ...], log: Path) -> subprocess.Popen[bytes]:
    """Start a process; what it says goes to the end of `log`."""
    with log.open("ab") as output:
        return subprocess.Popen(argv, stdout=output, stderr=output)


def _end(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None:
        process.kill()
        process.wait()


def _tables(url: str) -> Client:
    client = connect(url, DATABASE)
    migrate(client, TableSettings(database=DATABASE))
    return client


def _answers(address: str) -> bool:
    return cluster_id_of(address, timeout_s=0.5) is not None
