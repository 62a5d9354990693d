"""Stage distill: conversations in, their score and training examples out.

Both carry the conversation's root provenance, so that a repeated conversation makes records that the sink recognises;
those before them in the log are dropped here. One that is missing there stops the stage, at every start again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

import structlog

from schemas import codec
from schemas.ceiling import Limits
from schemas.errors import InvalidRecord, Undecodable, UnknownSchema
from schemas.letters import attempt_of, is_for_another
from schemas.records import Conversation, Provenance
from streams.chunk import Chunk
from streams.deliver import Outgoing
from streams.distill import distill
from streams.monotone import Monotone, place_of
from streams.settings import DistillSettings
from streams.stage import Log, Refusals, unless_refused
from streams.values import Arrived, Reason, Rejected

log = structlog.get_logger()

Before = Callable[[int, int], Iterable[Arrived]]
"""(partition, end) -> the conversations that the log holds below offset `end`, the newest first."""


class DistillStage:
    """The shell around `distill`; not thread-safe."""

    name = "distill"
    topic = "conversations"

    def __init__(self, log_: Log, before: Before, settings: DistillSettings, limits: Limits) -> None:
        self._log = log_
        self._before = before
        self._settings = settings
        self._refusals = Refusals(log_, self.topic, limits)
        self._seen: dict[int, Monotone] = {}
        self._previous: dict[int, int] = {}

    def assign(self, partitions: Iterable[int]) -> None:
        """Begin a new session: marks and predecessors of the last one are void."""
        self._seen.clear()
        self._previous.clear()
        if list(partitions):
            self._log.check_cluster()

    def settle(self, chunk: Chunk) -> None:
        """Distill every new conversation of the chunk and write what it yields.

        Raises:
            GapFound: a conversation is missing before one of these; nothing of the chunk is written.
        """
        seen = self._seen_before(chunk)
        taken = [(arrived, self._take(seen, arrived, chunk.partition)) for arrived in chunk.arrived]
        refused = [(arrived, one) for arrived, one in taken if isinstance(one, Rejected)]
        out = [record for _, one in taken if isinstance(one, list) for record in one]
        self._log.delivery.confirm([*self._refusals.letters(chunk, refused), *out])
        self._log.metrics.add("records_repeated", sum(one is None for _, one in taken), topic=self.topic)

    def tick(self, now_us: int) -> None:
        """Nothing: time alone changes no conversation."""

    def _take(self, seen: Monotone, arrived: Arrived, partition: int) -> list[Outgoing] | Rejected | None:
        """What a conversation yields, or why it is refused; None for a repeat."""
        if is_for_another(arrived.headers, self.name):
            return None
        conversation = read(arrived)
        if isinstance(conversation, Rejected):
            if not attempt_of(arrived.headers):
                seen.waive()
            return conversation
        if not self._is_new(seen, conversation.provenance):
            return None
        return unless_refused(self.name, partial(self._yield_of, partition), conversation)

    def _seen_before(self, chunk: Chunk) -> Monotone:
        if chunk.partition not in self._seen:
            self._seen[chunk.partition] = Monotone(partial(self._earlier, chunk.partition, chunk.first))
        return self._seen[chunk.partition]

    def _earlier(self, partition: int, end: int) -> Iterator[Provenance | None]:
        for arrived in self._before(partition, end):
            if not attempt_of(arrived.headers):  # as above, a replay stands for no predecessor
                conversation = read(arrived)
                yield None if isinstance(conversation, Rejected) else conversation.provenance

    def _is_new(self, seen: Monotone, provenance: Provenance) -> bool:
        accepted = self._settings.accepted_gaps
        is_accepted = bool(accepted) and provenance.attempt == 0 and place_of(provenance) in accepted
        is_new = seen.is_new(provenance, is_accepted=is_accepted)
        if is_accepted and is_new:
            log.warning("gap_accepted", record=place_of(provenance), follows=provenance.previous_offset)
        return is_new

    def _yield_of(self, partition: int, conversation: Conversation) -> list[Outgoing]:
        distilled = distill(conversation, self._settings, self._previous.get(partition))
        key = conversation.conversation_id.encode()
        scores, examples = self._log.prefix + "scores", self._log.prefix + "examples"
        out = [
            Outgoing(scores, partition, key, codec.encode(distilled.score)),
            *(Outgoing(examples, partition, key, codec.encode(example)) for example in distilled.examples),
        ]
        if conversation.provenance.attempt == 0:  # a replay stands outside the order that holes are found by
            self._previous[partition] = conversation.provenance.offset
        return out


def read(arrived: Arrived) -> Conversation | Rejected:
    """The conversation in a consumed message, its attempt raised if it is a replay, or why there is none."""
    if arrived.value is None:
        return Rejected(DistillStage.name, "no_value", f"offset {arrived.offset} of conversations holds no value")
    return unless_refused(DistillStage.name, _decoded, arrived)


def _decoded(arrived: Arrived) -> Conversation | Rejected:
    try:
        return _raised(codec.decode(arrived.value or b"", Conversation), attempt_of(arrived.headers))
    except (Undecodable, InvalidRecord) as error:
        reason: Reason = "unknown_schema" if isinstance(error, UnknownSchema) else "undecodable"
        return Rejected(DistillStage.name, reason, str(error))


def _raised(conversation: Conversation, attempt: int) -> Conversation:
    if attempt <= conversation.provenance.attempt:
        return conversation
    return replace(conversation, provenance=replace(conversation.provenance, attempt=attempt))
