"""Stage assemble: events in, whole redacted conversations out, its state beside them on the log.

Order of effects, each confirmed before the next: conversations and dead letters, then state and behind it its mark,
then (by the caller) the acknowledgement. A crash between two of them repeats work, from the mark on and with the same
result; it never skips any, for the mark never runs ahead of what it says was emitted, or refused with a letter. Only
redacted conversations leave this process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import structlog

from schemas import codec
from schemas.ceiling import Limits
from streams import assembly_keys
from streams.assemble import Assembler, Decided
from streams.assembly_keys import Held, Keys
from streams.chunk import Chunk
from streams.deliver import Outgoing
from streams.redact import redact
from streams.settings import AssembleSettings, RedactSettings
from streams.stage import Log, Refusals, unless_refused
from streams.values import Arrived, Draft, Rejected, Step

log = structlog.get_logger()

Load = Callable[[int, str], Held]
"""(partition, cluster id) -> what the log holds of the partition's states."""


class AssembleStage:
    """The shell around one `Assembler` per partition; not thread-safe."""

    name = "assemble"
    topic = "conversation.events"

    def __init__(
        self, log_: Log, load: Load, assemble: AssembleSettings, redaction: RedactSettings, limits: Limits
    ) -> None:
        self._log = log_
        self._load = load
        self._settings = assemble
        self._redaction = redaction
        self._refusals = Refusals(log_, self.topic, limits)
        self._mine: frozenset[int] = frozenset()
        self._assemblers: dict[int, Assembler] = {}
        self._keys: dict[int, Keys] = {}

    def assign(self, partitions: Iterable[int]) -> None:
        """Forget all state: another worker may have moved it on; what is ours is read back when needed."""
        self._mine = frozenset(partitions)
        self._assemblers.clear()
        if self._mine:
            self._log.check_cluster()

    def settle(self, chunk: Chunk) -> None:
        """Assemble, then write conversations and letters, then state and mark; repeats alone need none."""
        assembler = self._assembler(chunk.partition)
        taken = [self._take(assembler, arrived, chunk.partition) for arrived in chunk.arrived]
        steps = [step for step, _ in taken]
        refused = [
            (arrived, step.rejected)
            for arrived, step in zip(chunk.arrived, steps, strict=True)
            if step.rejected is not None
        ]
        letters = self._refusals.letters(chunk, refused)
        conversations = [made for _, made in taken if made is not None]
        self._log.delivery.confirm([*conversations, *letters])
        self._log.delivery.confirm(self._state(chunk, steps))
        self._measure(chunk, steps, assembler)

    def tick(self, now_us: int) -> None:
        """Publish the close of every conversation that was quiet too long; it comes back through the log."""
        for partition in sorted(self._mine):
            closes = self._assembler(partition).idle(now_us)
            if not closes:
                continue
            topic = self._log.prefix + self.topic
            self._log.delivery.confirm(
                [Outgoing(topic, partition, event.conversation_id.encode(), codec.encode(event)) for event in closes]
            )
            self._log.metrics.add("conversations_closed_idle", len(closes), topic=self.topic)

    def _assembler(self, partition: int) -> Assembler:
        if partition not in self._assemblers:
            assembler = Assembler(self._log.cluster_id, partition, self._settings)
            held = self._load(partition, self._log.cluster_id)
            for one in held.found:
                assembler.restore(one.state)
            self._keys[partition] = Keys(held)
            self._keys[partition].forget(assembler.resume(held.mark))
            self._assemblers[partition] = assembler
        return self._assemblers[partition]

    def _take(self, assembler: Assembler, arrived: Arrived, partition: int) -> tuple[Step, Outgoing | None]:
        """What a record does, and the conversation that it completes; one over which a step fails does nothing."""
        found = unless_refused(self.name, partial(self._decide, assembler, partition), arrived)
        if isinstance(found, Rejected):
            return Step(rejected=found), None
        decided, conversation = found
        return assembler.apply(decided), conversation

    def _decide(self, assembler: Assembler, partition: int, arrived: Arrived) -> tuple[Decided, Outgoing | None]:
        decided = assembler.decide(arrived)
        draft = decided.step.draft
        return decided, None if draft is None else self._conversation(draft, partition)

    def _conversation(self, draft: Draft, partition: int) -> Outgoing:
        conversation = redact(draft, self._redaction)
        topic = self._log.prefix + "conversations"
        return Outgoing(topic, partition, conversation.conversation_id.encode(), codec.encode(conversation))

    def _state(self, chunk: Chunk, steps: list[Step]) -> list[Outgoing]:
        is_new = not all(step.duplicate for step in steps)
        mark = assembly_keys.mark_of(self._log.cluster_id, chunk.partition, chunk.end - 1) if is_new else None
        topic = self._log.prefix + assembly_keys.TOPIC
        return self._keys[chunk.partition].outgoing(assembly_keys.changes_of(steps), mark, topic, chunk.partition)

    def _measure(self, chunk: Chunk, steps: list[Step], assembler: Assembler) -> None:
        self._log.metrics.add("records_repeated", sum(step.duplicate for step in steps), topic=self.topic)
        if chunk.partition in self._mine:  # of a chunk that outlived its session nothing may be shown: who would end it
            self._log.metrics.set("held_bytes", assembler.held_bytes, topic=self.topic, partition=chunk.partition)
