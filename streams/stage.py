"""What a stage of the worker is: the imperative shell around pure steps, fed with chunks, alone in its thread.

A stage takes a chunk, works it off, and returns only when every effect is confirmed: then, and only then, its caller
acknowledges. It never half-acknowledges and never swallows: what it cannot explain ends the process.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import structlog

from schemas import codec
from schemas.ceiling import Ceiling, Limits
from schemas.letters import replay_of
from schemas.poison import REASON, Poison, unless_poison
from streams.chunk import Chunk
from streams.dead_letters import TOPIC as DEAD_LETTERS
from streams.dead_letters import Source, dead_letter_of, stop_at
from streams.deliver import Confirms, Outgoing
from streams.errors import LogWentBack
from streams.metrics import Metrics
from streams.values import Arrived, Rejected

log = structlog.get_logger()

A = TypeVar("A")
T = TypeVar("T")

Refused = tuple[Arrived, Rejected]


class Stage(Protocol):
    """All calls come from one thread, one at a time."""

    name: str
    topic: str
    """The source topic, without prefix."""

    def assign(self, partitions: Iterable[int]) -> None:
        """These partitions, and no others, are this worker's from now on; what is held of others is dropped."""

    def settle(self, chunk: Chunk) -> None:
        """Work off a chunk; everything it causes is durable on return."""

    def tick(self, now_us: int) -> None:
        """Do what time alone causes."""


@dataclass(frozen=True, slots=True)
class Log:
    """The broker's log as a stage needs it: its cluster, the prefix of its topics, and how records get there."""

    cluster_id: str
    prefix: str
    delivery: Confirms
    metrics: Metrics
    current_cluster: Callable[[], str]
    """Asks the broker anew."""

    def check_cluster(self) -> None:
        """See on every assignment that the log is still the one this process started with.

        Raises:
            LogWentBack: the broker is another now; under the old cluster id its offsets would be taken for repeats.
        """
        if (now := self.current_cluster()) != self.cluster_id:
            raise LogWentBack(f"the broker's cluster id was {self.cluster_id!r} and is {now!r}; start the worker again")


class Refusals:
    """Makes dead letters of what a stage refused, under the ceiling of each partition."""

    def __init__(self, log_: Log, topic: str, limits: Limits) -> None:
        self._log = log_
        self._topic = topic
        self._ceilings: dict[int, Ceiling] = defaultdict(lambda: Ceiling(limits))

    def letters(self, chunk: Chunk, refused: Sequence[Refused]) -> list[Outgoing]:
        """The letters to write before the chunk may be acknowledged.

        Raises:
            TooManyRejected: the ceiling is reached; none of the chunk's letters may be written.
        """
        source = Source(self._log.cluster_id, self._topic, chunk.partition)
        ceiling = self._ceilings[chunk.partition]
        if not refused:
            stop_at(ceiling.let_pass(len(chunk.arrived)), source)
            return []
        offsets = {arrived.offset for arrived, _ in refused}
        fresh = (arrived.offset in offsets for arrived in chunk.arrived if replay_of(arrived.headers) is None)
        stop_at(ceiling.judge(fresh), source, f"offset {refused[0][0].offset}: {refused[0][1].reason}")
        for arrived, rejected in refused:
            log.warning("record_rejected", stage=rejected.stage, reason=rejected.reason, topic=self._topic,
                        partition=chunk.partition, offset=arrived.offset)  # fmt: skip
        self._log.metrics.add("records_rejected", len(refused), topic=self._topic)
        letters = [dead_letter_of(arrived, source, rejected) for arrived, rejected in refused]
        topic = self._log.prefix + DEAD_LETTERS
        return [Outgoing(topic, chunk.partition, letter.key, codec.encode(letter)) for letter in letters]


def unless_refused(stage: str, step: Callable[[A], T], record: A) -> T | Rejected:
    """What a pure step of the stage makes of a record, or the refusal of one over which it raises."""
    made = unless_poison(step, record)
    return Rejected(stage, REASON, made.detail) if isinstance(made, Poison) else made
