"""Finds dead letters in their own topic: what the table of the sink has not, the bytes, is there.

A letter that a crashed stage wrote twice counts once; values are let go unless they are asked for.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from schemas import codec
from schemas.errors import SchemaError
from schemas.logtime import logged_us
from schemas.records import DeadLetter
from streams.dead_letters import TOPIC
from streams.errors import NoSuchLetter
from streams.read_log import LogReader


@dataclass(frozen=True, slots=True)
class Filed:
    """A letter, where it lies in the topic of letters, and when it was written (microseconds)."""

    letter: DeadLetter
    partition: int
    offset: int
    logged_at: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters: of these ids (a beginning is enough), stage, reason, written since; None or empty = any."""

    ids: tuple[str, ...] = ()
    stage: str | None = None
    reason: str | None = None
    since_us: int | None = None

    def takes(self, filed: Filed) -> bool:
        """Whether this letter is one of them."""
        letter = filed.letter
        return (
            (not self.ids or letter.dead_letter_id.startswith(self.ids))
            and self.stage in (None, letter.stage)
            and self.reason in (None, letter.reason)
            and (self.since_us is None or filed.logged_at >= self.since_us)
        )


@dataclass(slots=True)
class Listing:
    """The newest letters without their values, newest first, and how many there are of each stage and reason."""

    newest: list[Filed] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    unreadable: int = 0


def list_letters(reader: LogReader, prefix: str, wanted: Wanted, limit: int) -> Listing:
    """What there is. Raises what `LogReader` raises."""
    listing = Listing()
    newest: list[tuple[int, int, int, Filed]] = []
    for filed in _unique(_all(reader, prefix)):
        if filed is None:
            listing.unreadable += 1
        elif wanted.takes(filed):
            listing.counts[filed.letter.stage, filed.letter.reason] += 1
            entry = (filed.logged_at, filed.partition, filed.offset, without_value(filed))
            (heapq.heappush if len(newest) < limit else heapq.heappushpop)(newest, entry)
    listing.newest = [entry[3] for entry in sorted(newest, reverse=True)]
    return listing


def find_letters(reader: LogReader, prefix: str, wanted: Wanted) -> list[Filed]:
    """The letters wanted, without their values, in the order of the topic; of one record and stage the last attempt.

    Raises:
        NoSuchLetter: an id names none, or its beginning several.
    """
    found = [without_value(filed) for filed in _unique(_all(reader, prefix)) if filed and wanted.takes(filed)]
    for id_ in wanted.ids:
        named = [filed.letter.dead_letter_id for filed in found if filed.letter.dead_letter_id.startswith(id_)]
        if len(named) != 1:
            told = f"{len(named)} letters begin so: {', '.join(named[:5])}" if named else "there is no such letter"
            raise NoSuchLetter(f"{id_!r}: {told}; see `still dlq list`")
    return found if wanted.ids else list(_last_attempts(found).values())


def fill(reader: LogReader, prefix: str, letters: list[Filed]) -> Iterator[Filed]:
    """The same letters with their values, partition after partition."""
    for partition in sorted({filed.partition for filed in letters}):
        offsets = {filed.offset for filed in letters if filed.partition == partition}
        for message in reader.read(prefix + TOPIC, partition, min(offsets)):
            if message.offset() in offsets and (filed := _filed(message)) is not None:
                yield filed
            if message.offset() >= max(offsets):
                break


def without_value(filed: Filed) -> Filed:
    """The letter as it is kept while others are looked for."""
    return replace(filed, letter=replace(filed.letter, value=None))


def _last_attempts(found: list[Filed]) -> dict[Any, Filed]:
    last: dict[Any, Filed] = {}
    for filed in found:
        letter = filed.letter
        record = (letter.stage, letter.cluster_id, letter.topic, letter.partition, letter.offset)
        if record not in last or last[record].letter.attempt < letter.attempt:
            last[record] = filed
    return last


def _all(reader: LogReader, prefix: str) -> Iterator[Filed | None]:
    for partition in reader.partitions(prefix + TOPIC):
        for message in reader.read(prefix + TOPIC, partition):
            yield _filed(message)


def _unique(letters: Iterator[Filed | None]) -> Iterator[Filed | None]:
    seen: set[str] = set()
    for filed in letters:
        if filed is None or filed.letter.dead_letter_id not in seen:
            yield filed
        if filed is not None:
            seen.add(filed.letter.dead_letter_id)


def _filed(message: Any) -> Filed | None:
    """The letter in a message; None where somebody else wrote something else."""
    try:
        letter = codec.decode(message.value() or b"", DeadLetter)
    except SchemaError:
        return None
    return Filed(letter, message.partition(), message.offset(), logged_us(message.timestamp()[1]))
