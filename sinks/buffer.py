"""What has been read of one topic and has not landed yet, and the batch that it is cut into.

Pure. A batch knows the last offset it covers per partition, even where every record of it was dropped, and how far
each source gets with it, so that the ledger never runs ahead of the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas import letters
from schemas.records import DeadLetter
from sinks.tables import Table
from sinks.values import Arrived, Mark, Partition, Refused, Row, Source

STAGE = "sink"


@dataclass(slots=True)
class Batch:
    """Rows of one table, with what they were made of, and the records that became none."""

    table: Table
    rows: list[tuple[Arrived, Row]] = field(default_factory=list)
    refused: list[tuple[Arrived, Refused]] = field(default_factory=list)
    ends: dict[Partition, int] = field(default_factory=dict)
    oldest_us: dict[Partition, int] = field(default_factory=dict)
    records: dict[Partition, int] = field(default_factory=dict)
    marks: dict[Partition, dict[Source, Mark]] = field(default_factory=dict)
    bytes: int = 0
    since_s: float = 0.0

    def add(self, arrived: Arrived, row: Row) -> None:
        """Take a row."""
        self.rows.append((arrived, row))
        self.bytes += len(arrived.value or b"")

    def refuse(self, arrived: Arrived, why: Refused) -> None:
        """Take a record that became no row."""
        self.refused.append((arrived, why))
        self.bytes += len(arrived.value or b"")

    def cover(self, arrived: Arrived) -> None:
        """Note that this record has been dealt with."""
        partition = arrived.partition
        self.ends[partition] = arrived.offset
        self.oldest_us.setdefault(partition, arrived.timestamp)
        self.records[partition] = self.records.get(partition, 0) + 1

    def mark(self, partition: Partition, moved: Mapping[Source, Mark]) -> None:
        """Note how far the records that it covers bring their sources."""
        self.marks.setdefault(partition, {}).update(moved)

    def drop(self, partitions: set[Partition]) -> None:
        """Forget everything of these partitions: somebody else reads them now."""
        self.rows = [(arrived, row) for arrived, row in self.rows if arrived.partition not in partitions]
        self.refused = [(arrived, why) for arrived, why in self.refused if arrived.partition not in partitions]
        for partition in partitions:
            for noted in (self.ends, self.oldest_us, self.records, self.marks):
                noted.pop(partition, None)


def letter_of(arrived: Arrived, why: Refused) -> DeadLetter:
    """The dead letter of a record that cannot land; the same record always makes the same one."""
    position = letters.Position(*arrived.partition, arrived.offset)
    taken = letters.Taken(position, arrived.timestamp, arrived.key, arrived.value, arrived.headers)
    return letters.letter_of(taken, STAGE, why.reason, why.detail)
