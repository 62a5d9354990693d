"""What time it is in a partition, as most of its conversations say. Pure; holds no clock of its own.

A Kafka timestamp is its publisher's word, and one whose clock is wrong must not make closed conversations old that the
others have just closed. So the time is the median of when the conversations last heard of were last active: whoever is
in the minority among them moves nothing, ahead or behind. It lags by some conversations, which keeps closed ones a
little longer. It follows from the newest state of each conversation alone, in whatever order they come, so that a
worker that restores them knows the time that its predecessor knew.
"""

from __future__ import annotations

from heapq import nlargest

from schemas.records import AssemblyState

VOICES = 31
"""How many conversations are asked, those whose newest events have the highest offsets."""


class PartitionClock:
    """The clock of one partition."""

    def __init__(self) -> None:
        self._heard: dict[str, tuple[int, int]] = {}
        self._latest_us = 0

    def hear(self, state: AssemblyState) -> None:
        """Take the newest state of a conversation; at a start of all, in any order."""
        self._heard[state.conversation_id] = (state.offset, state.last_activity_at)
        self._latest_us = max(self._latest_us, state.last_activity_at)
        if len(self._heard) > 2 * VOICES:  # not at each: a worker hears one for every event
            self._heard = dict(nlargest(VOICES, self._heard.items(), key=lambda one: one[1]))
            self._latest_us = max(time_us for _, time_us in self._heard.values())

    @property
    def now_us(self) -> int:
        """The median, of two the earlier one; 0 = nothing was heard."""
        times = sorted(time_us for _, time_us in nlargest(VOICES, self._heard.values()))
        return times[(len(times) - 1) // 2] if times else 0

    def is_past(self, time_us: int) -> bool:
        """Whether it is later than this."""
        return time_us < self._latest_us and time_us < self.now_us
