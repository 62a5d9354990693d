"""Slow faults: a worker that stood still, workers that come and go, a ClickHouse without answer, a broker reborn."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from still.embedded.stack import EmbeddedStack, Stack
from tests.apache import ApacheNode
from tests.crash.lossy import losing
from tests.crash.pipeline import EVENTS, SEED, WITHIN_S, Pipeline
from tests.crash.started import resident, standing_still

SESSION_S = 6.0
STALL_S = 60.0
JOINS = 20
MIN_LOST = 3
MOST_BYTES = 400_000_000
"""What a sink may hold while nothing lands: two blocks of each topic, the client's queues, the interpreter."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def beside(pipeline: Pipeline, name: str) -> Pipeline:
    """The same for another worker of the group, in a folder of its own, of which the last part is its name."""
    folder = pipeline.folder / name
    folder.mkdir(parents=True, exist_ok=True)
    return replace(pipeline, folder=folder)


def stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """SIGTERM to all; each ends by itself."""
    for process in processes:
        process.send_signal(signal.SIGTERM)
    assert [process.wait(WITHIN_S) for process in processes] == [0] * len(processes)


def test_a_zombie_worker_doubles_nothing_in_clickhouse(pipeline: Pipeline) -> None:
    """A worker stands still in mid-stream, another takes its place and goes on, the first one wakes up and goes on too.

    The successor bears its name: Tansu never lets a member go that only stands still.
    """
    zombie, sink = beside(pipeline, "zombie/one").worker(), pipeline.sink()
    pipeline.publish(0)
    time.sleep(1.0)
    zombie.send_signal(signal.SIGSTOP)
    try:
        time.sleep(2 * SESSION_S)
        successor = beside(pipeline, "successor/one").worker()
        pipeline.publish(1)
        pipeline.drain()
    finally:
        zombie.send_signal(signal.SIGCONT)
    pipeline.publish(2)
    time.sleep(SESSION_S)
    zombie.kill()
    zombie.wait()
    pipeline.drain()
    stop([successor, sink])
    assert pipeline.audit() == []


@pytest.mark.apache
@pytest.mark.parametrize("stack", ["apache"], indirect=True)
def test_workers_that_come_and_go_lose_nothing(pipeline: Pipeline) -> None:
    """Under load a worker joins every two to five seconds, 20 times, and one leaves by SIGTERM or dies by kill -9.

    Not over the embedded broker: it never expels a dead member, so that the others' join waits for it for ever.
    """
    chance = random.Random(SEED)
    sink = pipeline.sink()
    workers: list[subprocess.Popen[bytes]] = []
    for number in range(JOINS):
        workers.append(beside(pipeline, f"worker-{number}").worker())
        pipeline.publish(number)
        time.sleep(chance.uniform(2, 5))
        if len(workers) > 1:
            leaving = workers.pop(chance.randrange(len(workers)))
            leaving.send_signal(chance.choice([signal.SIGTERM, signal.SIGKILL]))
            leaving.wait(WITHIN_S)
    pipeline.drain()
    stop([*workers, sink])
    assert pipeline.audit() == []


def test_appends_whose_answer_is_lost_land_once(pipeline: Pipeline) -> None:
    """Of all appends of publisher and worker every tenth is made and never answered; nothing doubles."""
    with losing(pipeline.bootstrap_servers, every=10) as proxy:
        through = replace(pipeline, bootstrap_servers=proxy.bootstrap_servers)
        worker, sink = through.worker(), through.sink()
        for block in range(4):
            through.publish(block)
        through.drain()
        stop([worker, sink])
        assert proxy.lost > MIN_LOST
    assert pipeline.audit() == []
    assert pipeline.counts()[EVENTS] > 1000


def test_a_clickhouse_that_stands_still_costs_no_memory_and_no_row(running: EmbeddedStack, tmp_path: Path) -> None:
    """For a minute nothing can land while events go on: memory stays bounded, no partition moves, all lands later."""
    here = running.stack
    with Pipeline(here.bootstrap_servers, "stall.", here.clickhouse_url, "stall", tmp_path, SEED).made() as pipeline:
        worker, sink = pipeline.worker(), pipeline.sink()
        pipeline.publish(15)
        pipeline.drain()
        before = rebalances(pipeline.folder)
        with standing_still(running, "clickhouse"):
            highest = _load(pipeline, sink.pid)
        assert (worker.poll(), sink.poll()) == (None, None)
        assert min(before) > 0
        assert rebalances(pipeline.folder) == before
        assert highest < MOST_BYTES
        pipeline.drain()
        stop([worker, sink])
        assert pipeline.audit() == []


def rebalances(folder: Path) -> tuple[int, int]:
    """How often a worker and a sink that log here were given or lost partitions, as each says."""
    worker = (folder / "worker.log").read_text(encoding="utf-8")
    sink = (folder / "sink.log").read_text(encoding="utf-8")
    return worker.count("worker_ready") + worker.count("partitions_revoked"), sink.count("partitions_assigned")


def _load(pipeline: Pipeline, pid: int) -> int:
    """Publish for STALL_S; the most memory that the process held meanwhile, bytes."""
    highest, block = 0, 0
    until = time.monotonic() + STALL_S
    while time.monotonic() < until:
        if block < 15:
            pipeline.publish(block)
            block += 1
        highest = max(highest, resident(pid))
        time.sleep(1.0)
    return highest


@pytest.mark.apache
@pytest.mark.parametrize("stack", ["tansu"], indirect=True)
def test_a_broker_reborn_and_offsets_forgotten_change_nothing(
    own_apache: ApacheNode, stack: Stack, database: str, tmp_path: Path
) -> None:
    """Kill -9 of Kafka; later all committed offsets are lost: the ledger says where to go on, nothing doubles."""
    servers = own_apache.bootstrap_servers
    with Pipeline(servers, "reborn.", stack.clickhouse_url, database, tmp_path, SEED).made() as pipeline:
        worker, sink = pipeline.worker(), pipeline.sink()
        pipeline.publish(0)
        own_apache.kill()
        own_apache.start()
        pipeline.publish(1)
        pipeline.drain()
        stop([worker, sink])
        before = pipeline.counts()
        time.sleep(2 * SESSION_S)
        groups = ["reborn.worker", "reborn.still.sink"]
        admin = AdminClient({"bootstrap.servers": servers})
        for forgotten in admin.delete_consumer_groups(groups).values():
            forgotten.exception(WITHIN_S)
        assert pipeline.committed() == {}
        worker, sink = pipeline.worker(), pipeline.sink()
        pipeline.drain()
        stop([worker, sink])
        assert pipeline.counts() == before
        assert before[EVENTS] > 1000
        assert pipeline.audit() == []
