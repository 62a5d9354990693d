"""The values that go through the sink: where a record lay, the row it became, the block it lands in.

Frozen and without I/O. A row's values stand in the order of its table's columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol
from uuid import uuid4

from schemas.records import DeadLetter
from sinks.tables import Table

Key = tuple[Any, ...]
"""Values of a table's `key` columns."""


class Partition(NamedTuple):
    """One partition of a topic (name without prefix) in one broker cluster."""

    cluster: str
    topic: str
    number: int


class Source(NamedTuple):
    """The root log that derived records come from."""

    cluster: str
    topic: str
    partition: int


class Mark(NamedTuple):
    """How far a source has landed: its offset, and the number of the record among those of that offset."""

    offset: int
    number: int


class Arrived(NamedTuple):
    """One Kafka record as the sink read it; `timestamp` in microseconds."""

    partition: Partition
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes] = MappingProxyType({})


class Row(NamedTuple):
    """What one record becomes: `values` up to the position columns, which the block adds."""

    values: tuple[Any, ...]
    source: Source | None = None
    mark: Mark | None = None
    attempt: int = 0
    key: Key | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a record became no row; `reason` is a closed code, `detail` says it in words."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Block:
    """Rows that land together or not at all. The token is never used for other rows."""

    table: Table
    columns: tuple[Sequence[Any], ...]
    token: str

    def __len__(self) -> int:
        return len(self.columns[0])

    def part(self, start: int, end: int) -> Block:
        """Some of the rows, under a token of their own."""
        return Block(self.table, tuple(column[start:end] for column in self.columns), new_token(self.table))

    def of(self, places: Sequence[int]) -> Block:
        """The rows at these places, under a token of their own."""
        columns = tuple([column[place] for place in places] for column in self.columns)
        return Block(self.table, columns, new_token(self.table))

    def column(self, name: str) -> Sequence[Any]:
        """The values of one column."""
        return self.columns[self.table.names.index(name)]

    def places(self) -> list[tuple[str, int, int]]:
        """Cluster, partition and offset of each row: no two rows of a table share them."""
        return list(zip(*(self.column(name) for name in ("_cluster", "_partition", "_offset")), strict=True))


def new_token(table: Table) -> str:
    """A token that no other block has: rows under a token that another block had would be dropped silently."""
    return f"{table.name}:{uuid4().hex}"


class Origin(NamedTuple):
    """Which record of which root log a row came from."""

    source: Source
    mark: Mark


@dataclass(frozen=True, slots=True)
class Landed:
    """What the store holds of a partition: nothing is missing up to `last`, and of what follows exactly `present`.

    `present` gives the origin of each row, None for rows that have none; `marks` say how far the sources had come at
    `last`. What is missing between present rows has a lower mark than they have, so that only marks which move along
    with the offsets tell it from a repeat.
    """

    last: int = -1
    present: Mapping[int, Origin | None] = field(default_factory=dict)
    marks: Mapping[Source, Mark] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Progress:
    """What the ledger is told: everything up to `last` has landed, and how far each source has.

    `lease` is that of the rows; an empty one is not held against the fence.
    """

    partition: Partition
    last: int
    marks: Mapping[Source, Mark]
    lease: str


class Store(Protocol):
    """Where rows land. The ClickHouse store and its in-memory twin pass one contract suite.

    Every method may raise Temporary (try again) or Misconfigured (stop).
    """

    def take_leases(self, partitions: Sequence[Partition]) -> dict[Partition, str]:
        """New leases; from here on blocks under older leases of these partitions do not land.

        Raises:
            LeaseLost: another sink took one at the same time.
            Misconfigured: what landed of one is of the topics of another prefix.
        """

    def landed(self, table: Table, partition: Partition) -> Landed:
        """What has landed of one partition, by the ledger and the rows above its mark."""

    def existing(self, table: Table, keys: Sequence[Key]) -> set[Key]:
        """Which of these keys the table holds."""

    def insert(self, block: Block) -> None:
        """Land one block, whole.

        Raises:
            Rejected: nothing of it landed, and never will as it is.
            LeaseLost: a lease of it is superseded; nothing of it landed.
        """

    def missing(self, block: Block) -> list[int]:
        """Which rows of the block, by their place in it, the table does not hold: asked after an unknown outcome."""

    def record(self, progress: Sequence[Progress]) -> None:
        """Write the ledger.

        Raises:
            LeaseLost: a lease of it is superseded or gone; how far partitions have landed is unchanged.
        """


class DeadLetters(Protocol):
    """Where records go that became no row."""

    def write(self, letters: Sequence[DeadLetter], given_up: Event) -> None:
        """Return when every letter is confirmed; wait no longer once `given_up` is set.

        Raises:
            Temporary: at least one was not; write all of them again.
        """
