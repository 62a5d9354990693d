"""What becomes of records that a stage of the worker cannot take: a dead letter each, under a ceiling. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.ceiling import ADVICE
from schemas.letters import Position, Taken, letter_of
from schemas.records import DeadLetter
from streams.errors import TooManyRejected
from streams.values import Arrived, Rejected

TOPIC = "dead.letters"


@dataclass(frozen=True, slots=True)
class Source:
    """The log that a stage reads: its cluster, its topic without prefix, its partition."""

    cluster_id: str
    topic: str
    partition: int


def dead_letter_of(arrived: Arrived, source: Source, rejected: Rejected) -> DeadLetter:
    """The letter for a refused record; a replay that fails again is told by its first position and its attempt."""
    position = Position(source.cluster_id, source.topic, source.partition, arrived.offset)
    taken = Taken(position, arrived.timestamp_us, arrived.key, arrived.value, arrived.headers)
    return letter_of(taken, rejected.stage, rejected.reason, rejected.detail)


def stop_at(how_many: str | None, source: Source, example: str = "") -> None:
    """End the stage where its ceiling says so; None = it is not reached. `example` is one of the refusals, in words.

    Raises:
        TooManyRejected: it is.
    """
    if how_many:
        such_as = f" ({example})" if example else ""
        raise TooManyRejected(f"{source.topic}[{source.partition}] refused {how_many}{such_as}: {ADVICE}")
