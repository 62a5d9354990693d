"""How far a partition is done: the watermark that decides what may be committed. Pure; no Kafka, no Faust, no clock.

Invariant: the position never passes a chunk that is not acknowledged, in whatever order acknowledgements come. Faust's
own rule (0.15.3) breaks it when the head is missing by one or nothing was committed yet (faust-streaming #606).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from streams.errors import LogWentBack


@dataclass(slots=True)
class _Open:
    """A chunk handed over: the offset after its last record, its size, its oldest timestamp, whether it is done."""

    end: int
    bytes: int
    oldest_us: int
    acknowledged: bool = False


class Watermark:
    """Chunks of one partition in offset order, from hand-over to acknowledgement."""

    def __init__(self) -> None:
        self._open: deque[_Open] = deque()
        self._bytes = 0
        self._end: int | None = None
        self._position: int | None = None

    @property
    def position(self) -> int | None:
        """The next offset to read after a crash: what may be committed; None = nothing acknowledged yet."""
        return self._position

    @property
    def outstanding_bytes(self) -> int:
        """Bytes handed over of which the acknowledgement is missing."""
        return self._bytes

    @property
    def waits_since_us(self) -> int | None:
        """Kafka timestamp of the first record handed over that is not acknowledged; None = nothing waits."""
        return self._open[0].oldest_us if self._open else None

    def open(self, end: int, size: int, oldest_us: int) -> None:
        """Note a chunk handed over that ends before offset `end`, its first record with this Kafka timestamp.

        Raises:
            LogWentBack: it lies before a chunk handed over earlier.
        """
        if self._end is not None and end <= self._end:
            raise LogWentBack(f"a chunk ends at offset {end} after one that ended at {self._end}; the log was replaced")
        self._open.append(_Open(end, size, oldest_us))
        self._end = end
        self._bytes += size

    def acknowledge(self, end: int) -> bool:
        """Note that the effects of the chunk ending before `end` are durable; whether the position moved.

        A chunk that is not open (its session is over) changes nothing.
        """
        for chunk in self._open:
            if chunk.end == end and not chunk.acknowledged:
                chunk.acknowledged = True
                self._bytes -= chunk.bytes
                break
        before = self._position
        while self._open and self._open[0].acknowledged:
            self._position = self._open.popleft().end
        return self._position != before
