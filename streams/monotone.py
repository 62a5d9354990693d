"""Recognise records that a crashed producer wrote again, and holes, from provenance alone. Pure.

Derived records carry their root's position; replays repeat an earlier stretch in the same order. So whatever is not
above the mark of its partition was seen before, and a record whose predecessor is above the mark proves a hole.
"""

from __future__ import annotations

from schemas.records import Provenance
from streams.errors import GapFound


class Monotone:
    """The mark of one partition, for as long as this process reads it."""

    def __init__(self) -> None:
        self._mark: tuple[str, int, int] | None = None

    def is_new(self, provenance: Provenance) -> bool:
        """Whether the record is above the mark, which then moves up; a replayed dead letter (attempt > 0) always is.

        Raises:
            GapFound: a record before this one is missing.
        """
        if provenance.attempt > 0:
            return True
        here = (provenance.cluster_id, provenance.offset, provenance.index)
        if self._mark is not None and self._mark[0] == provenance.cluster_id:
            if here <= self._mark:
                return False
            self._check(provenance, self._mark[1])
        self._mark = here
        return True

    def _check(self, provenance: Provenance, seen: int) -> None:
        before = provenance.previous_offset
        if before is not None and before > seen:
            raise GapFound(
                f"record of {provenance.topic}[{provenance.partition}] offset {provenance.offset} follows offset "
                f"{before}, but {seen} is the last one here: what lies between is missing; compare the topics first"
            )
