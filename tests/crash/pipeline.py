"""Worker and sink as processes over a real broker and ClickHouse, to be ended in every way; and the audit of it all."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from sinks.clickhouse.client import Client, connect
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.settings import TableSettings
from sinks.tables import by_topic
from still.embedded.broker import cluster_id_of
from still.readiness import is_ready
from tests.crash import audit, log_reader, reference, traffic, worker_process
from tests.crash.points import VARIABLE
from tests.crash.started import end, once_ready
from tests.streams.log import eventually, make_topics, write

EVENTS = "conversation.events"
LANDED = tuple(topic for topic in by_topic() if topic != "model.events")
SOURCES = (EVENTS, "conversations")
SEED = 20261124
WITHIN_S = 240.0
QUIET_S = 6.0
"""So long must nothing come: a worker here closes what is silent for two seconds, and a close is an event too."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One topic prefix, one database, one folder; `seed` makes the traffic."""

    bootstrap_servers: str
    prefix: str
    clickhouse_url: str
    database: str
    folder: Path
    seed: int
    group: str = "worker"
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def client(self) -> Client:
        """A client of its database."""
        return connect(self.clickhouse_url, self.database)

    @contextmanager
    def made(self) -> Iterator[Pipeline]:
        """With topics and tables; every process that it, or a copy of it, has started is ended at last."""
        self._make()
        try:
            yield self
        finally:
            end(self.started)

    def _worker(self, crash_at: str) -> subprocess.Popen[bytes]:
        process = worker_process.begin(self.bootstrap_servers, self.prefix, self.folder, crash_at, self.group)
        self.started.append(process)
        return process

    def _sink(self, crash_at: str) -> subprocess.Popen[bytes]:
        where = (self.bootstrap_servers, self.prefix, self.clickhouse_url, self.database, str(self.folder))
        argv = [sys.executable, "-m", "tests.crash.sink_process", *where, ",".join(LANDED)]
        with (self.folder / "sink.log").open("ab") as log:
            process = subprocess.Popen(argv, stdout=log, stderr=log, env={**os.environ, VARIABLE: crash_at})
        self.started.append(process)
        return process

    def _once_ready(self, process: subprocess.Popen[bytes], name: str) -> subprocess.Popen[bytes]:
        return once_ready(process, lambda: is_ready(self.folder, name), WITHIN_S, f"a ready {name}")

    def _make(self) -> None:
        make_topics(self.bootstrap_servers, self.prefix)
        migrate(self.client, TableSettings(database=self.database))

    def publish(self, block: int) -> None:
        """The traffic of one block, confirmed."""
        records = [(sent.key, sent.value) for sent in traffic.block(self.seed, block)]
        write(self.bootstrap_servers, self.prefix + EVENTS, records)

    def worker(self, crash_at: str = "") -> subprocess.Popen[bytes]:
        """Start a worker; return when it is ready, or dead."""
        return self._once_ready(self._worker(crash_at), "worker")

    def sink(self, crash_at: str = "") -> subprocess.Popen[bytes]:
        """Start a sink; return when it is ready, or dead."""
        return self._once_ready(self._sink(crash_at), "sink")

    def both(self, worker_at: str = "", sink_at: str = "") -> tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]:
        """Start a worker and a sink at once, for each waits long for its group; return when each is ready, or dead."""
        worker, sink = self._worker(worker_at), self._sink(sink_at)
        return self._once_ready(worker, "worker"), self._once_ready(sink, "sink")

    def committed(self) -> dict[tuple[str, int], int]:
        """What the worker's group has committed; without the partitions of which it has nothing."""
        consumer = self._member()
        asked = [TopicPartition(topic, p) for topic, p in self._sources()]
        found = {(tp.topic, tp.partition): tp.offset for tp in consumer.committed(asked, timeout=30)}
        consumer.close()
        return {place: offset for place, offset in found.items() if offset >= 0}

    def set_back(self, group: str, offsets: Mapping[tuple[str, int], int]) -> Pipeline:
        """The same pipeline, whose worker reads from these offsets on: in a group of its own."""
        again = replace(self, group=group)
        consumer = again._member()
        wanted = [TopicPartition(topic, p, offset) for (topic, p), offset in offsets.items()]
        consumer.commit(offsets=wanted, asynchronous=False)
        consumer.close()
        return again

    def drain(self) -> None:
        """Return when the worker has nothing left to read, and the sink has landed every topic to its end, for good."""
        seen: object = None
        since = 0.0

        def settled() -> bool:
            nonlocal seen, since
            ends = {topic: self._ends(topic) for topic in LANDED}
            if ends != seen or not (self._is_read(ends) and self._landed(ends)):
                seen, since = ends, time.monotonic()
            return time.monotonic() - since > QUIET_S

        eventually(settled, WITHIN_S, "everything landed")

    def audit(self) -> list[str]:
        """All findings of `tests.crash.audit` but the oracle's: here every record was confirmed."""
        ends = self._ends(EVENTS)
        expected = audit.Reference(connect(self.clickhouse_url, f"{self.database}_reference"))
        own = worker_process.settings(self.bootstrap_servers, self.prefix, self.folder)
        rules = reference.Rules(own.assemble, own.redact, own.distill)
        cluster = str(cluster_id_of(self.bootstrap_servers, timeout_s=30.0))
        for partition in ends:
            log = log_reader.records(self.bootstrap_servers, self.prefix + EVENTS, partition)
            expected.fill(cluster, partition, reference.derive(cluster, partition, log, rules))
        findings = audit.events(self.client, ends) + audit.same(self.client, expected.client)
        self.client.command(f"DROP DATABASE {expected.client.database}")
        return findings

    def counts(self) -> dict[str, int]:
        """Rows of each table."""
        return {
            topic: self.client.rows(f"SELECT count() AS n FROM {self.database}.{by_topic()[topic].name}")[0]["n"]
            for topic in LANDED
        }

    def _is_read(self, ends: Mapping[str, Mapping[int, int]]) -> bool:
        done = self.committed()
        return all(done.get((self.prefix + t, p), 0) == end for t in SOURCES for p, end in ends[t].items())

    def _landed(self, ends: Mapping[str, Mapping[int, int]]) -> bool:
        rows = self.client.rows(
            f"SELECT topic, partition, max(last) + 1 AS next FROM {self.database}.sink_marks GROUP BY topic, partition"
        )
        at = {(row["topic"], row["partition"]): row["next"] for row in rows}
        return all(at.get((topic, p), 0) == end for topic, of in ends.items() for p, end in of.items())

    def _ends(self, topic: str) -> dict[int, int]:
        return log_reader.ends(self.bootstrap_servers, self.prefix + topic)

    def _sources(self) -> list[tuple[str, int]]:
        names = [self.prefix + topic for topic in SOURCES]
        return [(name, p) for name in names for p in log_reader.partitions(self.bootstrap_servers, name)]

    def _member(self) -> Consumer:
        group = f"{self.prefix}{self.group}"
        return Consumer({"bootstrap.servers": self.bootstrap_servers, "group.id": group, "enable.auto.commit": False})
