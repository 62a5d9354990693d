"""Recognise records that a crashed producer wrote again, and holes, from provenance alone. Pure.

Derived records carry their root's position; replays repeat an earlier stretch in the same order. So whatever is not
above the mark of its partition was seen before, and a record whose predecessor is above the mark proves a hole, unless
the log had that predecessor before this process began: a hole is told only after a look at it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from schemas.records import Provenance
from streams.errors import GapFound

Earlier = Callable[[], Iterable[Provenance | None]]
"""What stands in the log before this process's first record, the newest first; None = a record that nobody can read."""


def place_of(provenance: Provenance) -> str:
    """How a person names a record behind a hole, as in `conversation.events[0]@15`: by its root."""
    return f"{provenance.topic}[{provenance.partition}]@{provenance.offset}"


class Monotone:
    """The mark of one partition, for as long as this process reads it."""

    def __init__(self, earlier: Earlier = lambda: ()) -> None:
        self._earlier = earlier
        self._mark: tuple[str, int, int] | None = None
        self._waived = False

    def is_new(self, provenance: Provenance, *, is_accepted: bool = False) -> bool:
        """Whether the record is above the mark, which then moves up; a replayed dead letter (attempt > 0) always is.

        `is_accepted` takes it with a hole before it; a repeat of it waives nothing, or a later hole would pass.

        Raises:
            GapFound: a record before this one is missing.
        """
        if provenance.attempt > 0:
            return True
        self._look_back(provenance)
        here = (provenance.cluster_id, provenance.offset, provenance.index)
        if self._mark is not None and self._mark[0] == provenance.cluster_id:
            if here <= self._mark:
                return False
            self._waived |= is_accepted
            self._check(provenance, self._mark[1])
        self._mark = here
        if provenance.previous_offset is not None:  # a session's first record tells nothing of what came before it
            self._waived = False
        return True

    def waive(self) -> None:
        """Let the next new record follow whatever it names: the one before it cannot be read, or is given up."""
        self._waived = True

    def _look_back(self, provenance: Provenance) -> None:
        """Raise the mark to what the log had before, until the predecessor is found or nothing is left.

        What nobody can read may be the predecessor if it came after the record that the mark is of.
        """
        if self._covers(provenance):
            return
        unread = False
        for one in self._earlier():
            if one is None and self._mark is None:
                self.waive()
                return
            if one is None:
                unread = True
            elif one.attempt == 0 and one.cluster_id == provenance.cluster_id:
                self._waived |= self._raise((one.cluster_id, one.offset, one.index)) and unread
            if self._covers(provenance):
                return

    def _covers(self, provenance: Provenance) -> bool:
        before = provenance.previous_offset
        if before is None:
            return True
        return self._mark is not None and self._mark[0] == provenance.cluster_id and self._mark[1] >= before

    def _raise(self, mark: tuple[str, int, int]) -> bool:
        if self._mark is not None and self._mark[0] == mark[0] and self._mark > mark:
            return False
        self._mark = mark
        return True

    def _check(self, provenance: Provenance, seen: int) -> None:
        before = provenance.previous_offset
        if before is not None and before > seen and not self._waived:
            raise GapFound(
                f"record of {provenance.topic}[{provenance.partition}] offset {provenance.offset} follows offset "
                f"{before}, but {seen} is the last one here: what lies between is missing; compare the topics first; "
                f"STILL_ACCEPT_GAP='{place_of(provenance)}' goes on without it"
            )
