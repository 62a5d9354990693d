"""A soak of two minutes: traffic without end, a fault every few seconds, and memory that must not grow."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from still.embedded.stack import EmbeddedStack, Ports, embedded_stack
from tests.crash.pipeline import WITHIN_S, Pipeline

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SOAK_S = 120.0
FAULT_EVERY_S = 12.0
STALLED_S = 3.0
GROWTH = 1.15
SLACK_BYTES = 15_000_000


class Soak:
    """Worker and sink of one stack, the memory that they hold, and what happens to them.

    They are killed in the first third only: later ones live long enough for their memory to be judged.
    """

    def __init__(self, running: EmbeddedStack, pipeline: Pipeline, chance: random.Random) -> None:
        self._running = running
        self._pipeline = pipeline
        self._chance = chance
        self._began = time.monotonic()
        self.processes = {"worker": pipeline.worker(), "sink": pipeline.sink()}
        self.held: dict[str, list[tuple[float, int]]] = {"worker": [], "sink": []}
        self.faults: list[str] = []

    @property
    def part(self) -> float:
        """How much of the soak is over, from 0 to 1."""
        return (time.monotonic() - self._began) / SOAK_S

    def run(self) -> None:
        """Publish, hurt and measure until the time is over."""
        block = 0
        while self.part < 1:
            self._pipeline.publish(block)
            block += 1
            for name, process in self.processes.items():
                assert process.poll() is None, f"the {name} ended by itself after {self.faults}"
                self.held[name].append((self.part, resident(process.pid)))
            if (time.monotonic() - self._began) / FAULT_EVERY_S > len(self.faults) + 1:
                self._hurt()
            time.sleep(1.0)

    def _hurt(self) -> None:
        name = self._chance.choice(["worker", "sink", "broker", "clickhouse"])
        process = self.processes.get(name)
        if process is not None and self.part < 1 / 3:
            self.faults.append(f"kill {name}")
            process.kill()
            process.wait(WITHIN_S)
            self.processes[name] = self._pipeline.worker() if name == "worker" else self._pipeline.sink()
            return
        self.faults.append(f"stall {name}")
        pid = self._running.supervisor.statuses()[name].pid if process is None else process.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        time.sleep(STALLED_S)
        os.kill(pid, signal.SIGCONT)

    def most(self, name: str, start: float, end: float) -> int:
        """The most memory held in a part of the soak, bytes."""
        return max(held for part, held in self.held[name] if start <= part < end)


def resident(pid: int) -> int:
    """What a process holds in memory, bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_minutes_of_faults_lose_nothing_and_memory_stays_flat(tmp_path: Path) -> None:
    """Kills at first, then worker, sink, broker or ClickHouse stand still now and then: all lands, nobody grows."""
    print(f"seed={(seed := random.SystemRandom().randrange(10**6))}")
    with embedded_stack(tmp_path / "stack", Ports(broker=0, clickhouse=0)) as running:
        here = running.stack
        soaked = Pipeline(here.bootstrap_servers, "soak.", here.clickhouse_url, "soak", tmp_path, seed)
        with soaked.made() as pipeline:
            soak = Soak(running, pipeline, random.Random(seed))
            soak.run()
            pipeline.drain()
            for process in soak.processes.values():
                process.send_signal(signal.SIGTERM)
            assert [process.wait(WITHIN_S) for process in soak.processes.values()] == [0, 0]
            print(soak.faults)
            for name in soak.processes:
                before, after = soak.most(name, 0.5, 0.75), soak.most(name, 0.75, 1.0)
                print(f"{name}: {before:,} bytes, then {after:,}")
                assert after <= GROWTH * before + SLACK_BYTES, f"the {name} grew from {before:,} to {after:,} bytes"
            assert pipeline.audit() == []
