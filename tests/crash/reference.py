"""What must have come out of a log, by the pure functions alone: one thread, no crash, no batch, no acknowledgement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from schemas.records import Conversation, DeadLetter, Example, Score
from streams.assemble import Assembler
from streams.dead_letters import Source, dead_letter_of
from streams.distill import distill
from streams.redact import redact
from streams.settings import AssembleSettings, DistillSettings, RedactSettings
from streams.values import Arrived

EVENTS = "conversation.events"

Derived = Conversation | Score | Example | DeadLetter


class Rules(NamedTuple):
    """The settings that the result depends on."""

    assemble: AssembleSettings
    redact: RedactSettings
    distill: DistillSettings = DistillSettings()


def derive(cluster: str, partition: int, log: Iterable[Arrived], rules: Rules) -> Iterator[tuple[str, Derived]]:
    """Topic and record of everything that one partition of `conversation.events` causes, in order."""
    assembler = Assembler(cluster, partition, rules.assemble)
    for arrived in log:
        step = assembler.take(arrived)
        if step.rejected is not None:
            yield "dead.letters", dead_letter_of(arrived, Source(cluster, EVENTS, partition), step.rejected)
        if step.draft is not None:
            conversation = redact(step.draft, rules.redact)
            yield "conversations", conversation
            distilled = distill(conversation, rules.distill, None)
            yield "scores", distilled.score
            yield from (("examples", example) for example in distilled.examples)
