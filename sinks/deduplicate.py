"""Drop what has landed already: per partition by offset, and derived records by how far their source has landed.

Pure. A crashed worker appends the same records again, in order and with identical provenance, so one monotone mark
per source tells them apart; a crashed sink reads the same offsets again, and the table says which of them it holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sinks.values import Landed, Mark, Origin, Row, Source

NOTHING = Mark(-1, -1)


@dataclass(slots=True)
class Deduplicator:
    """What has landed of one partition up to the newest offset taken, `last`; `present` is what has beyond it."""

    last: int = -1
    present: dict[int, Origin | None] = field(default_factory=dict)
    marks: dict[Source, Mark] = field(default_factory=dict)
    _moved: dict[Source, Mark] = field(default_factory=dict)

    @classmethod
    def of(cls, landed: Landed) -> Deduplicator:
        """Start where the store says it is."""
        return cls(landed.last, dict(landed.present), dict(landed.marks))

    def knows(self, offset: int) -> bool:
        """Whether the table has this offset, without passing it."""
        return offset <= self.last or offset in self.present

    def is_landed(self, offset: int) -> bool:
        """Whether this offset is in the table; offsets must be asked in rising order.

        A row that is there moves its source's mark when its offset comes, no sooner: a row that is missing before it
        must not look like a repeat.
        """
        if offset <= self.last:
            return True
        self.last = offset
        if offset not in self.present:
            return False
        origin = self.present.pop(offset)
        if origin is not None and origin.mark > self.marks.get(origin.source, NOTHING):
            self.marks[origin.source] = self._moved[origin.source] = origin.mark
        return True

    def is_repeated(self, row: Row) -> bool:
        """Whether the row's source has landed up to here; a replayed row (attempt > 0) is judged by its key instead."""
        source, mark = row.source, row.mark
        if source is None or mark is None or row.attempt > 0:
            return False
        if mark <= self.marks.get(source, NOTHING):
            return True
        self.marks[source] = self._moved[source] = mark
        return False

    def moved(self) -> dict[Source, Mark]:
        """The marks that have moved since this was last asked."""
        moved, self._moved = self._moved, {}
        return moved
