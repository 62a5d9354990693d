"""A soak of two minutes: traffic without end, a fault every few seconds, and memory that must not grow."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Literal, NamedTuple

import pytest

from still.embedded.stack import EmbeddedStack
from still.embedded.supervisor import ChildState
from tests.crash.pipeline import WITHIN_S, Pipeline
from tests.crash.started import resident
from tests.streams.log import eventually

SOAK_S = 120.0
FAULT_EVERY_S = 12.0
STALLED_S = 3.0
GROWTH = 1.15
SLACK_BYTES = 15_000_000
MEASURED = ("worker", "sink")
STANDING = ("broker", "clickhouse")


class Fault(NamedTuple):
    """What happens to whom, so many seconds after the beginning."""

    at_s: float
    how: Literal["kill", "stall"]
    name: str


def plan(seed: int) -> list[Fault]:
    """Worker, sink and ClickHouse are killed in the first third; later each fault is a stall, or ClickHouse's death.

    Worker and sink then live long enough for their memory to be judged. The broker only stalls: the embedded one is
    all memory.
    """
    chance = random.Random(seed)
    third_s = SOAK_S / 3
    faults = [Fault(chance.uniform(0, third_s), "kill", name) for name in (*MEASURED, "clickhouse")]
    later = [*(Fault(third_s, "stall", name) for name in (*MEASURED, *STANDING)), Fault(third_s, "kill", "clickhouse")]
    for number in range(int((SOAK_S - third_s) / FAULT_EVERY_S)):
        one = chance.choice(later)
        faults.append(one._replace(at_s=one.at_s + FAULT_EVERY_S * (number + chance.random())))
    return sorted(faults)


class Soak:
    """Worker and sink of one stack, the memory that they hold, and what happens to them."""

    def __init__(self, running: EmbeddedStack, pipeline: Pipeline) -> None:
        self._running = running
        self._pipeline = pipeline
        self._began = time.monotonic()
        self._killed: set[int] = set()
        self.processes = {"worker": pipeline.worker(), "sink": pipeline.sink()}
        self.held: dict[str, list[tuple[float, int]]] = {name: [] for name in MEASURED}

    @property
    def part(self) -> float:
        """How much of the soak is over, from 0 to 1."""
        return (time.monotonic() - self._began) / SOAK_S

    def run(self, faults: list[Fault]) -> None:
        """Publish, hurt and measure until the time is over."""
        block, done = 0, list[Fault]()
        while self.part < 1 or len(done) < len(faults):
            self._pipeline.publish(block)
            block += 1
            for name, process in self.processes.items():
                assert process.poll() is None, f"the {name} ended by itself after {done}"
                self.held[name].append((self.part, resident(process.pid)))
            if len(done) < len(faults) and self.part * SOAK_S > faults[len(done)].at_s:
                done.append(faults[len(done)])
                self._hurt(done[-1])
            time.sleep(1.0)
        self._child("clickhouse")

    def _hurt(self, fault: Fault) -> None:
        process = self.processes.get(fault.name)
        pid = self._child(fault.name) if process is None else process.pid
        if fault.how == "stall":
            os.kill(pid, signal.SIGSTOP)
            time.sleep(STALLED_S)
            os.kill(pid, signal.SIGCONT)
        elif process is None:
            self._killed.add(pid)
            os.kill(pid, signal.SIGKILL)  # the supervisor starts it again, on the same folder
        else:
            process.kill()
            process.wait(WITHIN_S)
            self._child("clickhouse")
            self.processes[fault.name] = getattr(self._pipeline, fault.name)()

    def _child(self, name: str) -> int:
        """The process id of a child of the stack, once it is ready, again if it was killed."""

        def ready() -> bool:
            status = self._running.supervisor.statuses()[name]
            return status.state is ChildState.READY and status.pid not in self._killed

        eventually(ready, WITHIN_S, f"a {name} that is ready")
        pid = self._running.supervisor.statuses()[name].pid
        assert pid is not None
        return pid

    def most(self, name: str, start: float, end: float) -> int:
        """The most memory held in a part of the soak, bytes."""
        return max(held for part, held in self.held[name] if start <= part < end)


@pytest.mark.parametrize("seed", range(5))
def test_a_seed_keeps_its_plan_and_every_plan_kills_clickhouse(seed: int) -> None:
    """So that what a soak finds can be looked for again."""
    faults = plan(seed)
    assert faults == plan(seed)
    assert {fault.name for fault in faults if fault.how == "kill"} == {*MEASURED, "clickhouse"}
    assert all(fault.at_s < SOAK_S for fault in faults)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_minutes_of_faults_lose_nothing_and_memory_stays_flat(running: EmbeddedStack, tmp_path: Path) -> None:
    """Kills at first, ClickHouse's later too; worker, sink, broker, ClickHouse stand still: all lands, nobody grows."""
    print(f"seed={(seed := random.SystemRandom().randrange(10**6))}")
    print(faults := plan(seed))
    here = running.stack
    soaked = Pipeline(here.bootstrap_servers, "soak.", here.clickhouse_url, "soak", tmp_path, seed)
    with soaked.made() as pipeline:
        soak = Soak(running, pipeline)
        soak.run(faults)
        pipeline.drain()
        for process in soak.processes.values():
            process.send_signal(signal.SIGTERM)
        assert [process.wait(WITHIN_S) for process in soak.processes.values()] == [0, 0]
        for name in MEASURED:
            before, after = soak.most(name, 0.5, 0.75), soak.most(name, 0.75, 1.0)
            print(f"{name}: {before:,} bytes, then {after:,}")
            assert after <= GROWTH * before + SLACK_BYTES, f"the {name} grew from {before:,} to {after:,} bytes"
        assert pipeline.audit() == []
