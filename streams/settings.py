"""Settings of the pure steps: small frozen values, checked at birth, units in the names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.edge import MAX_EVENT_BYTES
from schemas.records import Task
from schemas.split import BENCHMARK_SHARE, DEVELOPMENT_SHARE

MINUTE_US = 60_000_000
LARGEST_STATE = 15_000_000
"""Bytes of held events for which the state, and the conversation that they make, fit into a message of 16 MB."""


@dataclass(frozen=True, slots=True)
class AssembleSettings:
    """How long and how much assemble holds, per partition.

    `retain_closed_us` counts on the partition's own clock (`streams.clock`): for so long a late event still makes a new
    revision. `max_event_bytes` is the largest event taken, `max_conversation_bytes` what a conversation may
    hold (each of its events writes all of it to the state topic again), `max_bytes` bounds the held events,
    `max_markers` the closed conversations of which only the revision is remembered; with fewer than `clock.VOICES` a
    restart may find another time of the partition.
    """

    inactivity_us: int = 30 * MINUTE_US
    retain_closed_us: int = 24 * 60 * MINUTE_US
    max_bytes: int = 32_000_000
    max_event_bytes: int = MAX_EVENT_BYTES
    max_conversation_bytes: int = 8_000_000
    max_markers: int = 20_000

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}={getattr(self, name)} must be positive")
        if self.max_bytes < self.max_conversation_bytes:
            raise ValueError(f"max_bytes={self.max_bytes} must hold one conversation of {self.max_conversation_bytes}")
        if self.max_conversation_bytes + self.max_event_bytes > LARGEST_STATE:
            raise ValueError(
                f"max_conversation_bytes={self.max_conversation_bytes} and max_event_bytes={self.max_event_bytes} "
                f"together pass {LARGEST_STATE}, what a message of the state topic takes; lower one"
            )


@dataclass(frozen=True, slots=True)
class RedactSettings:
    """The secret that makes surrogates and customer hashes stable for us and useless for others."""

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) < 16:
            raise ValueError(f"the customer key has {len(self.key)} bytes; use at least 16 random ones")


@dataclass(frozen=True, slots=True)
class DistillSettings:
    """What a conversation must reach to be learned from, and how customers are split.

    `min_quality` maps a task to the admission threshold of its track, `default_min_quality` stands for the others.
    Of every 100 customers, `development_share` * 100 go to development and `benchmark_share` * 100 are held out.
    `accepted_gaps` names records behind a hole, by their root, that are taken nevertheless.
    """

    min_quality: Mapping[Task, float] = field(default_factory=dict)
    default_min_quality: float = 0.7
    development_share: float = DEVELOPMENT_SHARE
    benchmark_share: float = BENCHMARK_SHARE
    accepted_gaps: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        named = [(str(task), value) for task, value in self.min_quality.items()]
        for name, value in [*named, ("default_min_quality", self.default_min_quality)]:
            if not 0 <= value <= 1:
                raise ValueError(f"the quality threshold {name}={value} must lie between 0 and 1")
        held_out = self.development_share + self.benchmark_share
        if min(self.development_share, self.benchmark_share) < 0 or held_out >= 1:
            raise ValueError(f"development and benchmark shares sum to {held_out}; leave something to train on")
        for place in self.accepted_gaps:
            if not re.fullmatch(r"[\w.-]+\[\d+\]@\d+", place):
                raise ValueError(f"gap {place!r} names no record; the alarm does, as in conversation.events[0]@15")
