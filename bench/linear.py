"""`python -m bench.linear [--contacts N] [--events N,N,...]`: cost grows with the work and with nothing else.

Three questions, all on Apache Kafka. CPU microseconds an event of the registered transit agent for 10^4, 10^5 and 10^6
events that come as fast as one producer writes them; the same for two workers that share the topic; and the resident
size of the worker of `still up` (assemble and distill) at each tenth of the way of simulated contacts, turn by turn.
200,000 contacts are the whole proof and take an hour on two busy cores; the default is a hundredth of it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import cycle, groupby, islice, product
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from bench.kafka import QUIET, Meter, apache, make_topic
from bench.transit import PARTITIONS, Peer, cpu_seconds, events, write
from still.capture import open_publisher
from still.commands.up import start_processes
from still.embedded.stack import Ports, embedded_stack, read_children
from still.front import configure_logs
from still.lag import groups, lags
from still.settings import Settings, load
from streams.bulk import publish_each
from streams.simulate.settings import SimulateSettings
from streams.simulate.simulate import simulate
from streams.worker_settings import GROUP

TENTHS = 10
WITHIN_S = 1800.0
EVENTS_A_CONTACT = 7
MADE = 20_000
"""Different events; making them costs more than a worker does with them, so they come again and again."""
PAGE = os.sysconf("SC_PAGE_SIZE")
START_US = 1_793_520_000_000_000


@dataclass(frozen=True)
class Cost:
    """One run: how many workers took how many events, and the CPU of all of them per event."""

    workers: int
    events: int
    cpu_us: float


def main() -> None:
    """Events, workers, memory."""
    os.environ["STILL_LOG_LEVEL"] = "CRITICAL"
    configure_logs()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=2_000)
    parser.add_argument("--events", default="10000,100000,1000000")
    arguments = parser.parse_args()
    counts = [int(count) for count in arguments.events.split(",")]
    made = list(events(MADE))
    costs, sizes = [], []
    with apache() as servers:
        for count, workers in product(counts, (1, 2)):
            costs.append(cost(servers, made, count, workers))
            print(f"{workers} worker(s) {count:10,} events {costs[-1].cpu_us:6.1f} CPU us each", flush=True)
    for mb in memory(arguments.contacts):
        sizes.append(mb)
        print(f"{len(sizes) * arguments.contacts // TENTHS:10,} contacts {mb:6} MB", flush=True)
    print(json.dumps({"linear": [asdict(one) for one in costs], "contacts": arguments.contacts, "rss_mb": sizes}))


def cost(servers: str, made: list[tuple[bytes, bytes]], count: int, workers: int) -> Cost:
    """What the workers spend on `count` events, which come once all have their partitions."""
    peer = Peer("ours", "ours", form=f"json.{count}.{workers}")
    target = f"linear.{count}.{workers}"
    for topic in (peer.source, target):
        make_topic(servers, topic, PARTITIONS)
    meter = Meter(servers, target, PARTITIONS)
    with tempfile.TemporaryDirectory() as folder:
        processes = [_start(servers, peer.source, target, Path(folder) / str(number)) for number in range(workers)]
        try:
            _wait(lambda: _sharing(servers, target) == workers, "workers with partitions")
            before = sum(cpu_seconds(process.pid) for process in processes)
            write(servers, peer.source, islice(cycle(made), count))
            # A rebalance of two busy workers may send some twice; what follows in the pipeline drops these.
            _wait(lambda: meter.count() >= count, f"{count} events at {target}")
            spent = sum(cpu_seconds(process.pid) for process in processes) - before
        finally:
            for process in processes:
                process.kill()
                process.wait()
    meter.close()
    return Cost(workers, count, round(spent / count * 1e6, 2))


def _start(servers: str, source: str, target: str, folder: Path) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "bench.peers.ours", servers, source, target, str(folder)]
    return subprocess.Popen(argv, stderr=subprocess.DEVNULL)


def _sharing(servers: str, group: str) -> int:
    """How many members of the group have partitions."""
    admin = AdminClient({"bootstrap.servers": servers, **QUIET})  # lives until the answer is there
    (found,) = admin.describe_consumer_groups([group]).values()
    try:
        return sum(bool(member.assignment.topic_partitions) for member in found.result().members)
    except KafkaException:  # its coordinator is not there yet
        return 0


def memory(contacts: int) -> Iterator[int]:
    """Resident megabytes of the worker after each tenth of the contacts, worked off."""
    with tempfile.TemporaryDirectory() as folder, embedded_stack(Path(folder), Ports(0, 0), "apache") as running:
        start_processes(running, Path(folder), ("worker",))
        settings = load(folder=Path(folder))
        yield from _sizes(settings, contacts)


def _sizes(settings: Settings, contacts: int) -> Iterator[int]:
    pid = read_children(settings.folder)["worker"].pid
    events = enumerate(simulate(SimulateSettings(START_US, contacts), seed=5))
    each = contacts * EVENTS_A_CONTACT // TENTHS
    with open_publisher(settings) as publisher:
        for tenth, numbered in groupby(events, key=lambda one: min(one[0] // each, TENTHS - 1)):
            for _ in publish_each(publisher, (event for _, event in numbered)):
                pass
            _wait(lambda: _behind(settings) == 0, f"tenth {tenth} worked off")
            yield int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * PAGE // 2**20


def _behind(settings: Settings) -> int:
    """Records that the worker has not taken yet, as far as the broker can say."""
    mine = {name: topics for name, topics in groups(settings).items() if name == GROUP}
    return sum(1 if lag.behind is None else lag.behind for lag in lags(settings.bootstrap_servers, mine) if lag.end)


def _wait(check: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not check():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {WITHIN_S:g} s: {what}")
        time.sleep(0.2)


if __name__ == "__main__":
    main()
