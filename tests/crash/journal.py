"""The oracle's journal: one line for each acknowledged record, on disk, readable after any kill.

A line is `block position length partition offset sha256`: which record of the traffic it was (of how many in its
block), where the broker says it lies, and the first 16 digits of its bytes' digest. The offset is `None` where
the broker had it from a try whose answer was lost: it confirms that, and does not say where.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

DIGITS = 16


class Acknowledged(NamedTuple):
    """What the broker confirmed."""

    block: int
    position: int
    length: int
    partition: int
    offset: int | None
    sha256: str


def digest(value: bytes) -> str:
    """The digits that a line carries."""
    return hashlib.sha256(value).hexdigest()[:DIGITS]


def line(one: Acknowledged) -> str:
    """One line."""
    return " ".join(map(str, one)) + "\n"


def read(path: Path) -> Iterator[Acknowledged]:
    """All whole lines; a last one that a kill cut short counts as not written."""
    if not path.exists():
        return
    with path.open(encoding="ascii") as lines:
        for text in lines:
            if text.endswith("\n"):
                block, position, length, partition, offset, sha256 = text.split()
                where = None if offset == "None" else int(offset)
                yield Acknowledged(int(block), int(position), int(length), int(partition), where, sha256)


def mend(path: Path) -> None:
    """Cut off a last line that is not whole, so that the next one stands alone."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        content = file.seek(0, 2)
        tail = min(content, 4096)
        file.seek(content - tail)
        file.truncate(content - tail + file.read(tail).rfind(b"\n") + 1)
