"""The in-memory twin of the ClickHouse store: same promises, same contract suite, nothing to start.

Rows are dicts by column name. It fences by lease, remembers insert tokens, and refuses values that no column takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from schemas.records import DeadLetter, Example, Split, Task
from sinks.errors import LeaseLost, Rejected
from sinks.examples import Freshness
from sinks.lease import lease_of, see_one_prefix
from sinks.tables import SOURCE_KEY, Table
from sinks.values import Block, Key, Landed, Mark, Origin, Partition, Progress, Source


@dataclass(slots=True)
class MemoryStore:
    """Implements `sinks.values.Store`; two of them may share `tables` and `leases`, like two sinks one server."""

    holder: str = "memory"
    topic_prefix: str = ""
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    leases: dict[Partition, tuple[int, str]] = field(default_factory=dict)
    lasts: dict[Partition, int] = field(default_factory=dict)
    source_marks: dict[tuple[str, int], dict[Source, Mark]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Everything that has landed in a table, in order."""
        return self.tables.setdefault(table, [])

    def take_leases(self, partitions: Sequence[Partition]) -> dict[Partition, str]:
        """See `Store`."""
        see_one_prefix(self.topic_prefix, {p: self.leases[p][1] for p in partitions if p in self.leases})
        for partition in partitions:
            epoch = self.leases.get(partition, (0, ""))[0] + 1
            self.leases[partition] = (epoch, lease_of(partition, epoch, self.holder, self.topic_prefix))
        return {partition: self.leases[partition][1] for partition in partitions}

    def landed(self, table: Table, partition: Partition) -> Landed:
        """See `Store`."""
        last = self.lasts.get(partition, -1)
        place = (partition.cluster, partition.number)
        above = [r for r in self.rows(table.name) if (r["_cluster"], r["_partition"]) == place and r["_offset"] > last]
        marks = dict(self.source_marks.get((partition.topic, partition.number), {}))
        for row in self.rows(table.name):
            elsewhere = Partition(row["_cluster"], partition.topic, partition.number)
            is_above = row["_offset"] > self.lasts.get(elsewhere, -1)
            origin = _origin(table, row)
            if origin and is_above and row["_partition"] == partition.number and elsewhere != partition:
                marks[origin.source] = max(origin.mark, marks.get(origin.source, origin.mark))
        return Landed(last, {row["_offset"]: _origin(table, row) for row in above}, marks)

    def existing(self, table: Table, keys: Sequence[Key]) -> set[Key]:
        """See `Store`."""
        return {tuple(row[name] for name in table.key) for row in self.rows(table.name)} & set(keys)

    def insert(self, block: Block) -> None:
        """See `Store`."""
        if block.token in self.tokens:
            return
        rows = [dict(zip(block.table.names, values, strict=True)) for values in zip(*block.columns, strict=True)]
        for row in rows:
            self._check(block.table, row)
        self.tokens.add(block.token)
        self.rows(block.table.name).extend(rows)

    def missing(self, block: Block) -> list[int]:
        """See `Store`."""
        held = {(row["_cluster"], row["_partition"], row["_offset"]) for row in self.rows(block.table.name)}
        return [number for number, place in enumerate(block.places()) if place not in held]

    def record(self, progress: Sequence[Progress]) -> None:
        """See `Store`."""
        self._fence_ledger([one for one in progress if one.marks])
        for one in progress:
            marks = self.source_marks.setdefault((one.partition.topic, one.partition.number), {})
            for source, mark in one.marks.items():
                marks[source] = max(mark, marks.get(source, Mark(-1, -1)))
        self._fence_ledger(progress)
        for one in progress:
            self.lasts[one.partition] = max(one.last, self.lasts.get(one.partition, -1))

    def _fence_ledger(self, progress: Sequence[Progress]) -> None:
        for one in progress:
            if one.lease:
                self._fence(one.lease, "ledger")

    def _fence(self, lease: str, table: str) -> None:
        if lease not in {current for _, current in self.leases.values()}:
            raise LeaseLost(f"lease {lease!r} is superseded", table=table)

    def _check(self, table: Table, row: dict[str, Any]) -> None:
        self._fence(row["_lease"], table.name)
        for column in table.columns:
            if row[column.name] is None and "Nullable" not in column.type:
                raise Rejected(f"{column.name} is null, expected {column.type}", table=table.name)


def _origin(table: Table, row: dict[str, Any]) -> Origin | None:
    if not table.monotone or row["attempt"]:
        return None
    *source, offset, index = (row[name] for name in SOURCE_KEY)
    return Origin(Source(*source), Mark(offset, index))


@dataclass(slots=True)
class MemoryDeadLetters:
    """Implements `sinks.values.DeadLetters`."""

    letters: list[DeadLetter] = field(default_factory=list)

    def write(self, letters: Sequence[DeadLetter], _: Event) -> None:
        """See `DeadLetters`."""
        self.letters.extend(letters)


@dataclass(slots=True)
class MemoryExamples:
    """The in-memory twin of `ClickHouseExamples`: add examples, ask like the trainer does."""

    landed: list[tuple[int, Example]] = field(default_factory=list)

    def add(self, example: Example, now_us: int) -> None:
        """Land one example."""
        self.landed.append((now_us, example))

    def examples(
        self, task: Task, label_set: str, *, splits: Sequence[Split], admitted_only: bool, after: str | None
    ) -> Iterator[Example]:
        """See `ClickHouseExamples.examples`."""
        chosen = [e for _, e in self._current(task, label_set, after) if e.split in splits]
        return iter(sorted((e for e in chosen if e.admitted or not admitted_only), key=lambda e: e.example_id))

    def benchmark(self, task: Task, label_set: str) -> list[Example]:
        """See `ClickHouseExamples.benchmark`."""
        return list(self.examples(task, label_set, splits=("benchmark",), admitted_only=True, after=None))

    def freshness(self, task: Task, label_set: str, after: str | None) -> Freshness:
        """See `ClickHouseExamples.freshness`."""
        times = [at for at, e in self._current(task, label_set, after) if e.admitted and e.split == "train"]
        return Freshness(len(times), min(times, default=None))

    def watermark(self) -> str:
        """See `ClickHouseExamples.watermark`."""
        return str(len(self.landed))

    def _current(self, task: Task, label_set: str, after: str | None) -> list[tuple[int, Example]]:
        newest: dict[str, int] = {}
        last: dict[str, int] = {}
        for place, (_, e) in enumerate(self.landed):
            newest[e.conversation_id] = max(e.revision, newest.get(e.conversation_id, 0))
            last[e.example_id] = place
        return [
            (at, e)
            for place, (at, e) in enumerate(self.landed)
            if place >= int(after or 0)
            and (e.task, e.label_set) == (task, label_set)
            and (e.origin == "labelled" or e.revision == newest[e.conversation_id])
            and last[e.example_id] == place
        ]
