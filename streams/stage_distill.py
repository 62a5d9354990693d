"""Stage distill: conversations in, their score and training examples out.

Both carry the conversation's root provenance, so that a repeated conversation makes records that the sink recognises;
the ones this process has seen already are dropped here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from schemas import codec
from schemas.ceiling import Limits
from schemas.errors import InvalidRecord, Undecodable, UnknownSchema
from schemas.letters import attempt_of, is_for_another
from schemas.records import Conversation
from streams.chunk import Chunk
from streams.deliver import Outgoing
from streams.distill import distill
from streams.monotone import Monotone
from streams.settings import DistillSettings
from streams.stage import Log, Refusals, Refused
from streams.values import Arrived, Reason, Rejected


class DistillStage:
    """The shell around `distill`; not thread-safe."""

    name = "distill"
    topic = "conversations"

    def __init__(self, log_: Log, settings: DistillSettings, limits: Limits) -> None:
        self._log = log_
        self._settings = settings
        self._refusals = Refusals(log_, self.topic, limits)
        self._seen: dict[int, Monotone] = defaultdict(Monotone)
        self._previous: dict[int, int] = {}

    def assign(self, partitions: Iterable[int]) -> None:
        """Begin a new session: marks and predecessors of the last one are void."""
        self._seen.clear()
        self._previous.clear()
        if list(partitions):
            self._log.check_cluster()

    def settle(self, chunk: Chunk) -> None:
        """Distill every new conversation of the chunk and write what it yields."""
        refused: list[Refused] = []
        out: list[Outgoing] = []
        repeated = 0
        for arrived in chunk.arrived:
            if is_for_another(arrived.headers, self.name):
                repeated += 1
                continue
            conversation = read(arrived)
            if isinstance(conversation, Rejected):
                refused.append((arrived, conversation))
            elif self._seen[chunk.partition].is_new(conversation.provenance):
                out += self._yield_of(conversation, chunk.partition)
            else:
                repeated += 1
        self._log.delivery.confirm([*self._refusals.letters(chunk, refused), *out])
        self._log.metrics.add("records_repeated", repeated, topic=self.topic)

    def tick(self, now_us: int) -> None:
        """Nothing: time alone changes no conversation."""

    def _yield_of(self, conversation: Conversation, partition: int) -> list[Outgoing]:
        distilled = distill(conversation, self._settings, self._previous.get(partition))
        if conversation.provenance.attempt == 0:  # a replay stands outside the order that holes are found by
            self._previous[partition] = conversation.provenance.offset
        key = conversation.conversation_id.encode()
        scores, examples = self._log.prefix + "scores", self._log.prefix + "examples"
        return [
            Outgoing(scores, partition, key, codec.encode(distilled.score)),
            *(Outgoing(examples, partition, key, codec.encode(example)) for example in distilled.examples),
        ]


def read(arrived: Arrived) -> Conversation | Rejected:
    """The conversation in a consumed message, its attempt raised if it is a replay, or why there is none."""
    if arrived.value is None:
        return Rejected(DistillStage.name, "no_value", f"offset {arrived.offset} of conversations holds no value")
    try:
        return _raised(codec.decode(arrived.value, Conversation), attempt_of(arrived.headers))
    except (Undecodable, InvalidRecord) as error:
        reason: Reason = "unknown_schema" if isinstance(error, UnknownSchema) else "undecodable"
        return Rejected(DistillStage.name, reason, str(error))


def _raised(conversation: Conversation, attempt: int) -> Conversation:
    if attempt <= conversation.provenance.attempt:
        return conversation
    return replace(conversation, provenance=replace(conversation.provenance, attempt=attempt))
