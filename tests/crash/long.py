"""The long tier: hundreds of kills under a million events, then the audit per offset.

    python -m tests.crash.long --broker apache3 --seed 7 --kills 500 --events 1000000

Two workers, two sinks that share, publisher, ClickHouse and, with Apache Kafka, the brokers are killed -9 at uniformly
random times, by a schedule of the seed; with `--members 1` there is one worker, and one sink that takes all. All is
journaled in a folder of broker and seed: the same command goes on where it was cut off (not with Tansu, whose log is
gone with its process). Exit status 1 when the audit finds anything.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from sinks.clickhouse.client import connect
from sinks.errors import Temporary
from sinks.tables import by_topic
from tests.crash import audit, journal, log_reader, reference
from tests.crash.field import BROKERS, DATABASE, INACTIVITY_S, LANDED, Field, Traffic
from tests.crash.victims import Deaths
from tests.crash.worker_process import settings

TOLD_EVERY_S = 30.0
DRAIN_S = 3600.0
RATE = 420.0
"""Events a second: a million take about as long as 500 kills do, so that none of these meets an idle stream."""
EVENTS = "conversation.events"


class Run:
    """One run of the arguments, or what is left of it."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._asked = arguments
        self._folder: Path = arguments.folder.absolute() / f"{arguments.broker}-{arguments.seed}"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._oracle = self._folder / "oracle.txt"
        self._deaths = Deaths(self._folder / "deaths.jsonl")
        self._since = time.monotonic()
        self.figures: dict[str, object] = {}
        traffic = Traffic(self._oracle, arguments.seed, arguments.events, arguments.rate)
        asked = f"seed={arguments.seed} broker={arguments.broker} members={arguments.members}"
        print(f"{asked} folder={self._folder}", flush=True)
        broker = BROKERS[arguments.broker](self._folder)
        self.field = Field(self._folder, broker, self._deaths, traffic, arguments.members)

    def fight(self) -> None:
        """Publish and kill until all is published and the kills are done."""
        told = 0.0
        while not self.field.published or self._deaths.kills() < self._asked.kills:
            self.field.step(fire=self._deaths.kills() < self._asked.kills)
            if time.monotonic() - told > TOLD_EVERY_S:
                told = time.monotonic()
                self._tell("under fire")

    def drain(self) -> None:
        """Let all run until the sinks are at the end of every topic, and nothing moves for longer than inactivity."""
        self.field.settle()
        deadline = time.monotonic() + DRAIN_S
        seen: Mapping[str, Mapping[int, int]] = {}
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < INACTIVITY_S + 10:
            ends = self._ends()
            behind = self._behind(ends)
            assert time.monotonic() < deadline, f"not drained in {DRAIN_S:.0f} s: the sinks lack {behind}"
            if ends != seen or behind:
                seen, quiet_since = ends, time.monotonic()
                self._tell(f"draining, {sum(behind.values())} records behind")
            for _ in range(200):
                self.field.step(fire=False)
        self.field.stop_gracefully()

    def audit(self) -> list[str]:
        """All findings."""
        self._tell("auditing")
        client, ends = self.field.client, log_reader.ends(self.field.bootstrap_servers, EVENTS)
        findings = audit.events(client, ends) + audit.oracle(client, self._oracle)
        expected = audit.Reference(connect(self.field.clickhouse_url, f"{DATABASE}_reference"))
        own = settings(self.field.bootstrap_servers, "", self._folder, INACTIVITY_S)
        rules = reference.Rules(own.assemble, own.redact, own.distill)
        cluster = self.field.cluster_id
        for partition in ends:
            log = log_reader.records(self.field.bootstrap_servers, EVENTS, partition)
            expected.fill(cluster, partition, reference.derive(cluster, partition, log, rules))
        self._measure()
        return findings + audit.same(client, expected.client)

    def _measure(self) -> None:
        self.figures = {
            "broker": self._asked.broker,
            "seed": self._asked.seed,
            "members": self._asked.members,
            "kills": self._deaths.kills(),
            "acknowledged": sum(1 for _ in journal.read(self._oracle)),
            "rows": {topic: self._count(topic) for topic in LANDED},
            "deaths": self._deaths.told(),
            "leader_changes": log_reader.leader_changes(self.field.bootstrap_servers, LANDED),
            "minutes": round((time.monotonic() - self._since) / 60, 1),
        }

    def _ends(self) -> dict[str, dict[int, int]]:
        return {topic: log_reader.ends(self.field.bootstrap_servers, topic) for topic in LANDED}

    def _behind(self, ends: Mapping[str, Mapping[int, int]]) -> dict[str, int]:
        """How many records of each partition the sinks' ledger does not know yet."""
        rows = self.field.client.rows(
            f"SELECT topic, partition, max(last) + 1 AS next FROM {DATABASE}.sink_marks GROUP BY topic, partition"
        )
        at = {(row["topic"], row["partition"]): row["next"] for row in rows}
        lags = {f"{t}[{p}]": end - at.get((t, p), 0) for t, of in ends.items() for p, end in of.items()}
        return {name: lag for name, lag in lags.items() if lag}

    def _count(self, topic: str) -> int:
        (row,) = self.field.client.rows(f"SELECT count() AS n FROM {DATABASE}.{by_topic()[topic].name}")
        return int(row["n"])

    def _tell(self, what: str) -> None:
        minutes = (time.monotonic() - self._since) / 60
        try:
            rows: object = {topic: self._count(topic) for topic in LANDED}
        except Temporary:
            rows = "unknown, ClickHouse is down"
        print(f"{minutes:6.1f} min  {what}; deaths {self._deaths.told()}; rows {rows}", flush=True)


def main() -> int:
    """Run or go on; prints progress, the findings and one JSON line."""
    parser = argparse.ArgumentParser(description="Kill everything under load, then audit per offset.")
    parser.add_argument("--broker", choices=sorted(BROKERS), default="apache")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--members", type=int, default=2, help="workers, and as many sinks")
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rate", type=float, default=RATE, help="events a second, at most")
    parser.add_argument("--folder", type=Path, default=Path(".still/crash"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    run = Run(parser.parse_args())
    try:
        run.fight()
        run.drain()
        findings = run.audit()
    finally:
        run.field.close()
    for finding in findings:
        print("FOUND", finding)
    print(json.dumps({**run.figures, "findings": len(findings)}))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
