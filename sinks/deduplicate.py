"""Drop what has landed already: per partition by offset, and derived records by how far their source has landed.

Pure. A crashed worker appends the same records again, in order and with identical provenance, so one monotone mark
per source tells them apart; a crashed sink reads the same offsets again, and the table says which of them it holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sinks.values import Landed, Mark, Row, Source


@dataclass(slots=True)
class Deduplicator:
    """What has landed of one partition; `last` is the newest offset taken."""

    last: int
    present: frozenset[int]
    marks: dict[Source, Mark] = field(default_factory=dict)

    @classmethod
    def of(cls, landed: Landed) -> Deduplicator:
        """Start where the store says it is."""
        return cls(landed.last, landed.present, dict(landed.marks))

    def is_landed(self, offset: int) -> bool:
        """Whether this offset is in the table; offsets must be asked in rising order."""
        seen = offset <= self.last or offset in self.present
        self.last = max(self.last, offset)
        return seen

    def is_repeated(self, row: Row) -> bool:
        """Whether the row's source has landed up to here; a replayed row (attempt > 0) is judged by its key instead."""
        if row.source is None or row.mark is None or row.attempt > 0:
            return False
        if row.mark <= self.marks.get(row.source, Mark(-1, -1)):
            return True
        self.marks[row.source] = row.mark
        return False
