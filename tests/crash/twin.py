"""The whole pipeline in memory, to be crashed anywhere: topics are lists, a crash is an exception that ends a process.

Stages, redaction, distill, the sink's session, writer and de-duplication are the real ones; only broker and ClickHouse
are twins. What a process held when it crashed is gone; what was confirmed, landed or committed stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any

import pytest

from schemas import codec
from schemas.ceiling import Limits
from schemas.records import DeadLetter
from sinks import consume
from sinks.memory import MemoryStore
from sinks.settings import SinkSettings
from sinks.signals import Signals
from sinks.values import Arrived as Read
from sinks.values import Partition
from streams.assembly_keys import Fold, Held
from streams.chunk import Chunk
from streams.deliver import Outgoing
from streams.metrics import NoMetrics
from streams.settings import AssembleSettings, RedactSettings
from streams.stage import Log, Stage
from streams.stage_assemble import AssembleStage
from streams.stage_distill import DistillStage
from streams.values import Arrived
from tests.crash.points import Point, PointedStore
from tests.crash.reference import Rules

CLUSTER = "twin"
RULES = Rules(AssembleSettings(inactivity_us=10_000_000), RedactSettings(b"a key of tests, 32 bytes long..."))
TOPICS = ("conversation.events", "conversations", "scores", "examples", "dead.letters")


class Crash(BaseException):
    """kill -9 at a named point: nothing that handles errors may catch it."""


@dataclass(slots=True)
class CrashAt:
    """Crashes when `name` is reached for the `count`th time; counts all points that are reached until then."""

    name: str = ""
    count: int = 0
    seen: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def __call__(self, name: str) -> None:
        """Reach a point."""
        self.seen[name] += 1
        if (name, self.seen[name]) == (self.name, self.count):
            raise Crash(f"{name} for the {self.count}th time")


@dataclass(slots=True)
class World:
    """What outlives every process: the broker's topics and commits, and ClickHouse."""

    topics: dict[str, dict[int, list[Outgoing]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    committed: dict[tuple[str, int], int] = field(default_factory=dict)
    store: MemoryStore = field(default_factory=MemoryStore)
    rules: Rules = RULES

    def append(self, records: Iterable[Outgoing]) -> None:
        """What a broker does with records, one after the other."""
        for record in records:
            self.topics[record.topic][record.partition].append(record)

    def read(self, topic: str, partition: int, start: int = 0) -> list[Arrived]:
        """All records from an offset on, one a second."""
        records = self.topics[topic][partition][start:]
        return [Arrived(at, at * 1_000_000, out.key, out.value) for at, out in enumerate(records, start)]

    def before(self, partition: int, end: int) -> list[Arrived]:
        """The conversations below an offset, the newest first, as `LookBack` reads them."""
        return self.read("conversations", partition)[:end][::-1]

    def compact(self, topic: str) -> None:
        """Of each key only what was written last, at offsets of its own: nobody reads this topic by offset."""
        for partition, records in self.topics[topic].items():
            newest = {out.key: out for out in records}
            self.topics[topic][partition] = list(newest.values())

    def states(self, partition: int, cluster: str) -> Held:
        """What the log holds of each conversation, as `AssemblyStore` reads it."""
        fold = Fold(cluster)
        for out in self.topics["assembly.state"][partition]:
            fold.apply(out.key or b"", out.value)
        return fold.held()


class Worker:
    """Both stages of one worker process; reads from what is committed, holds what it has acknowledged."""

    def __init__(self, world: World, partitions: Sequence[int], reached: Point) -> None:
        self._world = world
        self._reached = reached
        log = Log(CLUSTER, "", self, NoMetrics(), lambda: CLUSTER)
        rules = world.rules
        assemble = AssembleStage(log, self._load, rules.assemble, rules.redact, Limits())
        distill = DistillStage(log, world.before, rules.distill, Limits())
        self._stages: dict[str, Stage] = {s.topic: s for s in (assemble, distill)}
        for stage in self._stages.values():
            stage.assign(partitions)
        self._next = {(topic, p): world.committed.get((topic, p), 0) for topic in self._stages for p in partitions}

    def confirm(self, batch: Sequence[Outgoing]) -> None:
        """Append a batch; it may be cut short at each record."""
        for record in batch:
            self._reached(f"produce {record.topic}")
            self._world.append([record])
        if batch:
            self._reached("produced")

    def step(self, topic: str, partition: int, size: int) -> bool:
        """Settle the next chunk of at most `size` records; False where there is none."""
        start = self._next[topic, partition]
        arrived = self._world.read(topic, partition, start)[:size]
        if not arrived:
            return False
        self._reached(f"polled {topic}")
        self._stages[topic].settle(Chunk(topic, partition, tuple(arrived), 1))
        self._reached(f"settled {topic}")
        self._next[topic, partition] = start + len(arrived)
        return True

    def tick(self, now_us: int) -> None:
        """Let time pass."""
        for stage in self._stages.values():
            stage.tick(now_us)

    def commit(self) -> None:
        """What a timer does now and then."""
        self._reached("commit")
        self._world.committed.update(self._next)
        self._reached("committed")

    def run(self, sizes: Iterable[int], commit_every: int = 2) -> None:
        """Work until nothing is left, in chunks of these sizes (the last one again and again)."""
        rest = iter(sizes)
        size, steps = next(rest), 0
        while sum(self.step(topic, partition, size) for topic, partition in list(self._next)):
            size = next(rest, size)
            steps += 1
            if steps % commit_every == 0:
                self.commit()
        self.commit()

    def _load(self, partition: int, cluster: str) -> Held:
        self._reached("load state")
        states = self._world.states(partition, cluster)
        self._reached("state loaded")
        return states


class TwinLetters:
    """The sink's own dead letters, on the topic."""

    def __init__(self, world: World, reached: Point) -> None:
        self._world = world
        self._reached = reached

    def write(self, letters: Sequence[DeadLetter], _: Event) -> None:
        """See `DeadLetters`."""
        for letter in letters:
            self._reached("write letter")
            out = Outgoing("dead.letters", letter.partition, letter.key, codec.encode(letter))
            self._world.append([out])
        self._reached("letters written")


class TwinReader:
    """The sink's reader over the world's topics; asks for the end when there is nothing more."""

    def __init__(self, world: World, settings: SinkSettings, session: Any, reached: Point) -> None:
        self.cluster = CLUSTER
        self._world = world
        self._topics = settings.topics
        self._session = session
        self._reached = reached
        self._next: dict[Partition, int] = {}

    def open(self) -> None:
        """Take everything that is there."""
        partitions = [Partition(CLUSTER, t, p) for t in self._topics for p in sorted(self._world.topics[t])]
        self._next = dict(self._session.assigned(partitions))

    def cluster_now(self) -> str:
        """The same for ever."""
        return CLUSTER

    def cluster_asked_apart(self) -> str:
        """The same, for a listener."""
        return CLUSTER

    def read(self, _: float) -> list[Read]:
        """A few records of each partition."""
        found: list[Read] = []
        for partition, start in self._next.items():
            for one in self._world.read(partition.topic, partition.number, start)[:7]:
                found.append(Read(partition, one.offset, one.timestamp_us, one.key, one.value))
                self._next[partition] = one.offset + 1
        if found:
            self._reached("read")
        else:
            self._session._signals.stop.set()
        return found

    def end(self, partition: Partition) -> int:
        """How long the log is."""
        return len(self._world.topics[partition.topic][partition.number])

    def pause_only(self, topics: set[str]) -> None:
        """Nothing: reading is bounded as it is."""

    def commit(self, _: Mapping[Partition, int]) -> None:
        """A hint only."""
        self._reached("sink commit")

    def close(self) -> None:
        """Nothing."""


def sink(world: World, reached: Point) -> None:
    """One sink process, until everything has landed, or to its crash."""
    settings = SinkSettings("twin:1", topics=TOPICS, max_rows=5, max_wait_s=1e-6, mark_every_s=1e-3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(consume, "Reader", lambda own, session: TwinReader(world, own, session, reached))
        store = PointedStore(world.store, reached)
        consume.run(settings, store, TwinLetters(world, reached), b"key", Signals())
