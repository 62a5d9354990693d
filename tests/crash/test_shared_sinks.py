"""Several sinks share the partitions and come, go and die under load: every offset lands exactly once."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest
from confluent_kafka import Producer

from schemas.codec import encode
from sinks.clickhouse.client import Client
from still.embedded.stack import Stack
from still.readiness import is_ready
from tests.crash.sinking import PARTITIONS, sink
from tests.sinks.made import example
from tests.streams.log import eventually

STEPS = 12
PER_STEP = 900
NAMES = ("a", "b", "c")
BLOCK = ("--rows", "100", "--slow", "0.05")
"""Blocks so small and inserts so slow that back-pressure pauses what is fetched most of the time."""
ENDS = ("leave", "kill", "kill")
ENDS_WITHIN_S = 30.0
DEADLINE_S = 120.0


class _Members:
    """Sinks of one group by name; each end that nobody asked for fails the test."""

    def __init__(self, folder: Path, start: Callable[[str], subprocess.Popen[bytes]]) -> None:
        self._folder = folder
        self._start = start
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.history: list[str] = []

    def act(self, chance: random.Random) -> None:
        """One comes, leaves or dies."""
        away = [name for name in NAMES if name not in self.running]
        if away and (len(self.running) < 2 or chance.random() < 0.5):
            self.join(chance.choice(away))
        else:
            self.end(chance.choice(sorted(self.running)), chance.choice(ENDS))

    def join(self, name: str) -> None:
        """One comes."""
        self.running[name] = self._start(name)
        self.history.append(f"{name} joins")

    def end(self, name: str, how: str) -> None:
        """One leaves, or dies."""
        self.history.append(f"{name}: {how}")
        process = self.running[name]
        if how == "kill":
            process.kill()
            process.wait()
        else:
            # Before that it may not know the signal yet.
            self.have_shares(name)
            process.terminate()
            assert process.wait(ENDS_WITHIN_S) == 0, self.history
        del self.running[name]

    def have_shares(self, *names: str) -> None:
        """Return when these have been given theirs, or somebody has ended."""

        def given() -> bool:
            return all(is_ready(self._folder / name, "sink") for name in names) or not self.all_live()

        eventually(given, DEADLINE_S, f"shares of {names}")

    def all_live(self) -> bool:
        """Whether nobody has ended unasked."""
        return all(process.poll() is None for process in self.running.values())


@contextmanager
def _members(stack: Stack, topic_prefix: str, database: str, folder: Path) -> Iterator[_Members]:
    """Nobody yet; whoever is left at last is killed."""
    with ExitStack() as started:

        def start(name: str) -> subprocess.Popen[bytes]:
            where = (str(folder / name), "examples", *BLOCK, "--share", name)
            return started.enter_context(sink(stack, topic_prefix, database, *where))

        yield _Members(folder, start)


def _producer(stack: Stack) -> Producer:
    return Producer({"bootstrap.servers": stack.bootstrap_servers, "linger.ms": 5, "enable.idempotence": True})


def _produce(producer: Producer, topic: str, numbers: range) -> None:
    """Examples in order, with stretches that a crashed worker had appended before."""
    for number in numbers:
        first = max(0, number - 4 * PARTITIONS) if number % 211 == 0 else number
        for one in range(first, number + 1, PARTITIONS):
            value = encode(example(one, partition=one % PARTITIONS))
            producer.produce(topic, value, partition=number % PARTITIONS)
        producer.poll(0)
    assert producer.flush(30) == 0


def _rows(client: Client) -> dict[str, int]:
    (found,) = client.rows(
        "SELECT count() AS rows, uniqExact(src_offset) AS examples, uniqExact(_partition, _offset) AS places"
        f" FROM {client.database}.examples"
    )
    return found


@pytest.mark.slow  # on a busy machine the embedded broker expels a member, and gives its partitions to nobody
@pytest.mark.timeout(300)
def test_a_member_that_dies_comes_back_under_its_name(
    stack: Stack, topic_prefix: str, database: str, client: Client, tmp_path: Path
) -> None:
    """Two share; one is killed amid its inserts and started again: missing 0, doubled 0."""
    producer = _producer(stack)
    with _members(stack, topic_prefix, database, tmp_path) as members:
        for name in NAMES[:2]:
            members.join(name)
        members.have_shares(*NAMES[:2])
        _produce(producer, f"{topic_prefix}examples", range(half := 4 * PER_STEP))
        eventually(lambda: _rows(client)["rows"] > 0, DEADLINE_S, "rows")
        members.end("a", "kill")
        members.join("a")
        _produce(producer, f"{topic_prefix}examples", range(half, 2 * half))
        eventually(partial(_is_done, client, members, 2 * half), DEADLINE_S, "all rows")
        assert _rows(client) == dict.fromkeys(("rows", "examples", "places"), 2 * half)
    assert producer.flush(0) == 0


@pytest.mark.slow
@pytest.mark.apache
@pytest.mark.timeout(300)
@pytest.mark.parametrize("stack", ["apache"], indirect=True)
def test_members_that_come_and_go_lose_and_double_nothing(
    stack: Stack, topic_prefix: str, database: str, client: Client, tmp_path: Path
) -> None:
    """Small blocks, slow inserts, rebalances amid them; those that are left land all: missing 0, doubled 0."""
    chance = random.Random(seed := random.randrange(10**6))
    print(f"seed={seed}")
    producer = _producer(stack)
    with _members(stack, topic_prefix, database, tmp_path) as members:
        for name in NAMES[:2]:
            members.join(name)
        for step in range(STEPS):
            _produce(producer, f"{topic_prefix}examples", range(step * PER_STEP, (step + 1) * PER_STEP))
            time.sleep(chance.uniform(0, 1.5))
            members.act(chance)
            assert members.all_live(), members.history
        examples = STEPS * PER_STEP
        eventually(partial(_is_done, client, members, examples), DEADLINE_S, f"all rows after {members.history}")
        assert _rows(client) == dict.fromkeys(("rows", "examples", "places"), examples), members.history
    assert producer.flush(0) == 0


def _is_done(client: Client, members: _Members, examples: int) -> bool:
    assert members.all_live(), members.history
    return _rows(client)["examples"] >= examples
