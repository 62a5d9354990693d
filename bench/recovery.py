"""`python -m bench.recovery [--kills N] [BROKER ...]`: from `kill -9` of the worker to the first event processed again.

On the embedded broker and on Apache Kafka, with the processes of `still up`: contacts come all the time, the worker is
killed, the supervisor starts it again, and the clock stops at the next record in `scores`. It includes the wait of the
supervisor, Python's start, joining the group (static membership), reading state back, assemble and distill. Prints
seconds for each kill, the median and the longest, and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.freshness import contacts
from bench.kafka import Meter
from still.capture import open_publisher
from still.commands.up import start_processes
from still.embedded.stack import Broker, Ports, embedded_stack, read_children
from still.front import configure_logs
from still.settings import Settings, load

BROKERS: tuple[Broker, ...] = ("apache", "memory")
EVENTS_PER_S = 100.0
PATIENCE_S = 60.0
STEADY_S = 62.0
"""How long the worker runs between two kills: a child that was ready for a minute is started again at once, and one
that crashes more often waits longer each time."""


def main() -> None:
    """Kill and measure on every broker."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("brokers", nargs="*", default=BROKERS)
    arguments = parser.parse_args()
    os.environ["STILL_LOG_LEVEL"] = "CRITICAL"  # the supervisor tells of every kill at length
    configure_logs()
    figures = {}
    for broker in arguments.brokers:
        seconds = recoveries(broker, arguments.kills)
        figures[broker] = {"median_s": round(median(seconds), 2), "longest_s": round(max(seconds), 2)}
        each = " ".join(f"{one:.1f}" for one in seconds)
        print(f"{broker:8} kills at once: {each} s   median {median(seconds):.1f} s   longest {max(seconds):.1f} s")
    print(json.dumps({"recovery": figures}))


def recoveries(broker: Broker, kills: int) -> list[float]:
    """Seconds to the first score after each kill."""
    with tempfile.TemporaryDirectory() as folder, embedded_stack(Path(folder), Ports(0, 0), broker) as running:
        start_processes(running, Path(folder), ("worker",))
        settings = load(folder=Path(folder))
        stop = threading.Event()
        traffic = threading.Thread(target=_publish, args=(settings, kills, stop))
        traffic.start()
        try:
            return [_recovery(settings) for _ in range(kills)]
        finally:
            stop.set()
            traffic.join()


def _publish(settings: Settings, kills: int, stop: threading.Event) -> None:
    events = contacts(round(EVENTS_PER_S * (STEADY_S + PATIENCE_S) * kills / 7), seed=3)
    with open_publisher(settings) as publisher:
        for event in events:
            if stop.wait(1 / EVENTS_PER_S):
                return
            publisher.begin(event)


def _recovery(settings: Settings) -> float:
    meter = Meter(settings.bootstrap_servers, f"{settings.topic_prefix}scores", settings.partitions)
    _wait_for_more(meter, meter.count())
    time.sleep(STEADY_S)
    worker = read_children(settings.folder)["worker"].pid
    assert worker is not None, "the worker was ready and is not there"
    killed = time.perf_counter()
    os.kill(worker, signal.SIGKILL)
    time.sleep(0.2)  # what the broker took before the kill is there by now
    _wait_for_more(meter, meter.count())
    meter.close()
    return time.perf_counter() - killed


def _wait_for_more(meter: Meter, than: int) -> None:
    for _ in _looks():
        if meter.count() > than:
            return
    raise SystemExit(f"no score within {PATIENCE_S:g} s")


def _looks() -> Iterator[None]:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        yield
        time.sleep(0.02)


if __name__ == "__main__":
    main()
