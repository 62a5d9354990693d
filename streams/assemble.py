"""Turn the events of one contact into one conversation: one `Assembler` per partition, pure, in log order.

Its state is a function of the partition's log alone: no clock, no chance. An inactivity close is itself an event,
proposed by `idle`, published by the shell and decided when it comes back. Restoring the newest state of every
conversation as of one offset is the same as never having stopped; whatever lies up to that offset is a known repeat.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace
from typing import NamedTuple

from schemas import codec, ids
from schemas.letters import is_for_another, replay_of
from schemas.records import AssemblyState, ConversationEvent, HeldEvent, Provenance
from streams.clock import PartitionClock
from streams.compose import CLOSED_BY, LAST_OFFSET, Head, Placed, compose, is_complete
from streams.errors import ForeignState
from streams.receive import STAGE, Received, receive, reject
from streams.settings import AssembleSettings
from streams.values import Arrived, Draft, Rejected, Skipped, Step

TOPIC = "conversation.events"


@dataclass(frozen=True, slots=True)
class Contact:
    """One conversation in the making: its state as stored, and the heads of its events."""

    state: AssemblyState
    heads: tuple[Head, ...]
    size: int

    @property
    def rank(self) -> tuple[int, int, str]:
        """Who is let go first: the longest quiet."""
        return self.state.last_activity_at, self.state.offset, self.state.conversation_id

    def find(self, event_id: str) -> Placed | None:
        """The held event of this id."""
        for head, held in zip(self.heads, self.state.events, strict=True):
            if head.event_id == event_id:
                return Placed(held.offset, _decode(held))
        return None


class Decided(NamedTuple):
    """What one record does, and the conversation that it makes grow, if any; nothing of it counts yet."""

    step: Step
    grown: Contact | None = None


class Assembler:
    """Assembles the conversations of one partition; not thread-safe.

    Memory is bounded: closed conversations go first, the longest quiet first, to a marker that remembers the revision;
    events of open ones beyond `max_bytes` are rejected, to be replayed later.
    """

    def __init__(self, cluster_id: str, partition: int, settings: AssembleSettings) -> None:
        self._cluster_id = cluster_id
        self._partition = partition
        self._settings = settings
        self._contacts: dict[str, Contact] = {}
        self._markers: dict[str, AssemblyState] = {}
        # Heaps of ranks, cleaned lazily: an entry whose offset is not the contact's any more is void.
        self._closed: list[tuple[int, int, str]] = []
        self._marked: list[tuple[int, str]] = []
        self._bytes = 0
        self._open_bytes = 0
        self._clock = PartitionClock()
        self._decided = -1
        self._previous_offset: int | None = None
        self._proposed: dict[str, int] = {}
        self._ahead: dict[str, tuple[int, int]] = {}

    @property
    def held_bytes(self) -> int:
        """Bytes of the events held now."""
        return self._bytes

    def restore(self, state: AssemblyState) -> None:
        """Take over the newest state of one conversation, before the first `take`.

        Raises:
            ForeignState: its offsets belong to another log.
            Undecodable: its events were written by a newer version.
        """
        if (state.cluster_id, state.partition) != (self._cluster_id, self._partition):
            raise ForeignState(
                f"state of {state.conversation_id!r} is of cluster {state.cluster_id!r}, partition {state.partition}; "
                f"this is cluster {self._cluster_id!r}, partition {self._partition}: empty the topic assembly.state"
            )
        self._clock.hear(state)
        if not state.events:
            self._mark(state)
            return
        heads = tuple(Head.of(held.offset, _decode(held)) for held in state.events)
        self._put(Contact(state, heads, sum(len(held.value) for held in state.events)))

    def resume(self, decided: int) -> tuple[str, ...]:
        """Go on behind this offset, once all states as of it are restored; -1 = none is known to be decided.

        Returns the conversations forgotten before, whose last record is still there.
        """
        self._decided = decided
        return self._forget()

    def take(self, arrived: Arrived) -> Step:
        """Apply one record; the step says what must be durable before the record is acknowledged."""
        return self.apply(self.decide(arrived))

    def decide(self, arrived: Arrived) -> Decided:
        """What one record does; nothing changes yet, so that one over which a later step raises may be refused."""
        if arrived.offset <= self._decided or is_for_another(arrived.headers, STAGE):
            return Decided(Step(duplicate=True))
        received = receive(arrived, self._settings.max_event_bytes)
        if isinstance(received, Rejected):
            return Decided(Step(rejected=received))
        id_ = received.event.conversation_id
        contact = self._contacts.get(id_)
        known = contact.state if contact else self._markers.get(id_)
        if known is not None and arrived.offset <= known.offset:
            return Decided(Step(duplicate=True))
        head = Head.of(self._place(arrived), received.event)
        if contact is None and known is not None:
            return Decided(_too_late(known, head))
        declined = self._decline(contact, head, received)
        return Decided(declined) if declined else self._grow(contact, head, received, arrived)

    def apply(self, decided: Decided) -> Step:
        """Let it count, before the next is decided; the step, with what has expired by it."""
        step, grown = decided
        if grown is None:
            return step
        if (contact := self._contacts.get(grown.state.conversation_id)) is not None:
            self._drop(contact)
        if step.draft is not None and step.draft.provenance.attempt == 0:
            self._previous_offset = step.draft.provenance.offset
        self._clock.hear(grown.state)
        expired = self._expire(grown.size)
        self._put(grown)
        forgotten = self._forget()
        return replace(step, expired=expired, forgotten=forgotten) if expired or forgotten else step

    def idle(self, now_us: int) -> list[ConversationEvent]:
        """Closes to publish for conversations quiet for `inactivity_us`; each is proposed once per session."""
        latest = now_us - self._settings.inactivity_us
        quiet = [
            contact.state
            for id_, contact in self._contacts.items()
            if contact.state.status == "open"
            and self._quiet_since(contact.state, now_us) <= latest
            and self._proposed.get(id_) != contact.state.offset
        ]
        self._proposed |= {state.conversation_id: state.offset for state in quiet}
        return [inactivity_close(state) for state in quiet]

    def _quiet_since(self, state: AssemblyState, now_us: int) -> int:
        """Its last activity; where that is still to come, for its publisher's clock is ahead, when this was noticed."""
        if state.last_activity_at <= now_us:
            return state.last_activity_at
        if self._ahead.get(state.conversation_id, (None, 0))[0] != state.offset:
            self._ahead[state.conversation_id] = (state.offset, now_us)
        return self._ahead[state.conversation_id][1]

    def _decline(self, contact: Contact | None, head: Head, received: Received) -> Step | None:
        """The step for an event that must not change anything, if it is one."""
        if contact is not None and (twin := contact.find(head.event_id)) is not None:
            return _twin(twin, received.event)
        if _is_stale(head, received.event, contact):
            return Step(skipped="stale_close")
        if head.kind == "closed" and contact is not None and contact.size <= self._settings.max_conversation_bytes:
            return None  # what ends a conversation lets its memory go, so it is always taken
        return self._without_room(contact, received)

    def _without_room(self, contact: Contact | None, received: Received) -> Step | None:
        """The refusal of an event for which its conversation, or the partition's memory, has no room."""
        grown = len(received.value) + (contact.size if contact else 0)
        if grown > self._settings.max_conversation_bytes:
            detail = (
                f"{received.event.conversation_id!r} would hold {grown} bytes of events, the limit is "
                f"{self._settings.max_conversation_bytes}; close conversations earlier, or raise "
                "STILL_MAX_CONVERSATION_BYTES and replay"
            )
            return Step(rejected=reject("conversation_too_large", detail))
        others = self._open_bytes - (contact.size if contact and contact.state.status == "open" else 0)
        if others + grown > self._settings.max_bytes:
            detail = (
                f"open conversations hold {others} bytes of {self._settings.max_bytes}; add partitions, then replay"
            )
            return Step(rejected=reject("assembly_full", detail))
        return None

    def _grow(self, contact: Contact | None, head: Head, received: Received, arrived: Arrived) -> Decided:
        heads = (*(contact.heads if contact else ()), head)
        due = _is_due(contact, heads)
        draft = self._draft(contact, head, received, self._root(arrived)) if due else None
        state = AssemblyState(
            conversation_id=received.event.conversation_id,
            cluster_id=self._cluster_id,
            partition=self._partition,
            offset=arrived.offset,
            status="closed" if due else "open",
            revision=(contact.state.revision if contact else 0) + (draft is not None),
            last_activity_at=max(arrived.timestamp_us, contact.state.last_activity_at if contact else 0),
            events=(
                *(contact.state.events if contact else ()),
                HeldEvent(head.offset, arrived.timestamp_us, received.value),
            ),
        )
        skipped: Skipped | None = "empty_conversation" if due and draft is None else None
        size = len(received.value) + (contact.size if contact else 0)
        return Decided(Step(draft=draft, state=state, skipped=skipped), Contact(state, heads, size))

    def _place(self, arrived: Arrived) -> int:
        """Where an event stands among its conversation's: a replayed one at the offset that it had at first."""
        replay = replay_of(arrived.headers)
        here = (self._cluster_id, TOPIC, self._partition)
        return replay.origin.offset if replay and replay.origin[:3] == here else arrived.offset

    def _root(self, arrived: Arrived) -> Provenance:
        """The position that a draft carries; a replay stands outside the order that holes are found by."""
        replay = replay_of(arrived.headers)
        if replay is None:
            return Provenance(self._cluster_id, TOPIC, self._partition, arrived.offset, 0, self._previous_offset)
        return Provenance(*replay.origin[:4], attempt=replay.origin.attempt)

    def _draft(self, contact: Contact | None, head: Head, received: Received, root: Provenance) -> Draft | None:
        earlier = [Placed(held.offset, _decode(held)) for held in contact.state.events] if contact else []
        revision = 1 + (contact.state.revision if contact else 0)
        return compose([*earlier, Placed(head.offset, received.event)], revision, root)

    def _put(self, contact: Contact) -> None:
        self._contacts[contact.state.conversation_id] = contact
        self._bytes += contact.size
        if contact.state.status == "open":
            self._open_bytes += contact.size
        else:
            heapq.heappush(self._closed, contact.rank)

    def _drop(self, contact: Contact) -> None:
        del self._contacts[contact.state.conversation_id]
        self._proposed.pop(contact.state.conversation_id, None)
        self._ahead.pop(contact.state.conversation_id, None)
        self._bytes -= contact.size
        if contact.state.status == "open":
            self._open_bytes -= contact.size

    def _expire(self, incoming: int) -> tuple[AssemblyState, ...]:
        """Let closed conversations go that are past retention, or in the way of `incoming` bytes."""
        expired = []
        while self._closed:
            activity, offset, id_ = self._closed[0]
            contact = self._contacts.get(id_)
            if contact is None or contact.state.offset != offset:
                heapq.heappop(self._closed)
                continue
            is_old = self._clock.is_past(activity + self._settings.retain_closed_us)
            if not is_old and self._bytes + incoming <= self._settings.max_bytes:
                break
            heapq.heappop(self._closed)
            self._drop(contact)
            expired.append(replace(contact.state, events=()))
            self._mark(expired[-1])
        return tuple(expired)

    def _mark(self, marker: AssemblyState) -> None:
        self._markers[marker.conversation_id] = marker
        heapq.heappush(self._marked, (marker.offset, marker.conversation_id))

    def _forget(self) -> tuple[str, ...]:
        """Forget the markers beyond the limit, heard of longest ago first; the clock asks the newest, so they stay."""
        excess = len(self._markers) - self._settings.max_markers
        forgotten = tuple(heapq.heappop(self._marked)[1] for _ in range(excess))
        for id_ in forgotten:
            del self._markers[id_]
        return forgotten


def inactivity_close(state: AssemblyState) -> ConversationEvent:
    """The close of a conversation that was quiet since `state`; the same state makes the same event."""
    return ConversationEvent(
        event_id=ids.stable_id("inactivity", state.cluster_id, state.partition, state.conversation_id, state.offset),
        conversation_id=state.conversation_id,
        kind="closed",
        metadata={CLOSED_BY: "inactivity", LAST_OFFSET: str(state.offset)},
    )


def _is_due(contact: Contact | None, heads: tuple[Head, ...]) -> bool:
    """Whether the newest event makes a revision.

    What the publisher closed is revised by every late event. What inactivity closed was a guess: a turn opens it again,
    feedback or an outcome revises it.
    """
    was_closed = contact is not None and contact.state.status == "closed"
    newest = heads[-1]
    return newest.inactivity or is_complete(heads) or (was_closed and newest.kind != "turn")


def _is_stale(head: Head, event: ConversationEvent, contact: Contact | None) -> bool:
    """Whether this inactivity close speaks of a conversation that has moved on, or that is not there."""
    if not head.inactivity:
        return False
    return (
        contact is None
        or contact.state.status == "closed"
        or event.metadata.get(LAST_OFFSET) != str(contact.state.offset)
    )


def _twin(twin: Placed, event: ConversationEvent) -> Step:
    if twin.event == event:
        return Step(duplicate=True)
    detail = f"event_id {event.event_id!r} came at offset {twin.offset} with other content; give each event its own id"
    return Step(rejected=reject("conflicting_event", detail))


def _too_late(marker: AssemblyState, head: Head) -> Step:
    if head.inactivity:
        return Step(skipped="stale_close")
    detail = f"{marker.conversation_id!r} was closed and its events are let go (revision {marker.revision})"
    return Step(rejected=reject("too_late", detail))


def _decode(held: HeldEvent) -> ConversationEvent:
    return codec.decode(held.value, ConversationEvent)
