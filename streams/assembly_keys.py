"""Assembly state as records of its topic: their keys, what a chunk writes, what a reader makes of it. Pure.

A chunk writes the states that it changed and behind them its mark: up to this source offset all is decided and durable.
A reader takes of each conversation the newest state that the highest mark covers. So it stands exactly where a worker
stood behind that chunk, however much of the next one was written, and decides about the records that follow as that
worker did; what the mark covers, refused or taken, is a known repeat.

Each record has a key of its own, and is tombstoned only when a newer one was confirmed, with its mark. So whatever a
worker that had lost the partition writes late replaces nothing. State of another cluster id belongs to a log that is
gone and is passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from schemas import codec
from schemas.records import AssemblyState
from streams.deliver import Outgoing
from streams.values import Step

TOPIC = "assembly.state"
NOTHING = -1
"""The mark where there is none."""
_APART = b"\xff"
"""No id has this byte: UTF-8 never uses it."""


class Change(NamedTuple):
    """A state of a conversation, and the source offset of the record that made it so.

    A conversation that is let go has the offset of its own last event in its state; another's made it go. One that is
    forgotten at once is written all the same: till the tombstones are there, a start must find it let go.
    """

    state: AssemblyState
    at: int
    is_forgotten: bool = False


Changes = dict[str, Change | None]
"""Newest state by conversation; None = forgotten, of those that earlier chunks have let go."""


def changes_of(steps: Iterable[Step]) -> Changes:
    """What a chunk changed, one state a conversation: of several, the last."""
    changes: Changes = {}
    for step in steps:
        if step.state is not None:
            for state in (step.state, *step.expired):
                changes[state.conversation_id] = Change(state, step.state.offset)
        for id_ in step.forgotten:
            last = changes.get(id_)
            changes[id_] = last._replace(is_forgotten=True) if last else None
    return changes


def mark_of(cluster_id: str, partition: int, offset: int) -> AssemblyState:
    """The mark of a chunk that ends with this source offset.

    In the form of a state of no cluster: a worker of an earlier release passes it over and never tombstones it.
    """
    return AssemblyState(cluster_id, "", partition, offset, "closed", 0, 0)


def key_of(change: Change) -> bytes:
    """The key of a state that counts once a mark covers it."""
    return _unmarked_key_of(change) + _APART


def _unmarked_key_of(change: Change) -> bytes:
    """The key under which releases before marks wrote; at first it was the id alone. Such a state always counts."""
    return change.state.conversation_id.encode() + _APART + b"%d" % change.at


def _mark_key_of(offset: int) -> bytes:
    return _APART + b"%d" % offset


def _needs_mark(key: bytes) -> bool:
    return key.endswith(_APART)


class Found(NamedTuple):
    """What the log holds of one conversation: its newest state that counts, and the keys of all, the newest last."""

    state: AssemblyState
    keys: tuple[bytes, ...]


class Held(NamedTuple):
    """What the log holds of one partition.

    `mark` is the source offset up to which all is decided, `marks` are the keys of all marks, the highest last. `ahead`
    are states above it that count for nothing yet, `unmarked` is the newest offset that an earlier release wrote.
    """

    found: tuple[Found, ...] = ()
    mark: int = NOTHING
    marks: tuple[bytes, ...] = ()
    ahead: tuple[tuple[int, bytes], ...] = ()
    unmarked: int = NOTHING


EMPTY = Held()


class Fold:
    """The state topic of one partition, record after record."""

    def __init__(self, cluster_id: str) -> None:
        self._cluster_id = cluster_id
        self._by_key: dict[bytes, Change] = {}
        self._marks: dict[bytes, int] = {}

    def apply(self, key: bytes, value: bytes | None) -> None:
        """Take the next record.

        Raises:
            Undecodable: it is no state.
        """
        before = self._by_key.pop(key, None)
        self._marks.pop(key, None)
        state = None if value is None else codec.decode(value, AssemblyState)
        if state is None:
            return
        if key.startswith(_APART):
            self._marks |= {key: state.offset} if state.conversation_id == self._cluster_id else {}
        elif state.cluster_id == self._cluster_id:
            change = Change(state, int(key.split(_APART)[1]) if _needs_mark(key) else state.offset)
            # Only a key of an earlier release has several offsets.
            self._by_key[key] = before if before is not None and before.at > change.at else change

    def held(self) -> Held:
        """What there is now; of states at one offset (whole, then let go by an earlier release) the last written."""
        marks = sorted(self._marks, key=self._marks.__getitem__)
        mark = self._marks[marks[-1]] if marks else NOTHING
        of: dict[str, list[bytes]] = {}
        ahead, unmarked = [], NOTHING
        for key, change in sorted(self._by_key.items(), key=lambda item: (item[1].at, item[0])):
            if change.at > mark and _needs_mark(key):
                ahead.append((change.at, key))
                continue
            of.setdefault(change.state.conversation_id, []).append(key)
            unmarked = unmarked if _needs_mark(key) else change.at
        found = tuple(Found(self._by_key[keys[-1]].state, tuple(keys)) for keys in of.values())
        return Held(found, mark, tuple(marks), tuple(ahead), unmarked)


class Keys:
    """Which keys a partition's states and mark have on the log, and which of them newer ones have made void."""

    def __init__(self, held: Held = EMPTY) -> None:
        self._newest = {one.state.conversation_id: one.keys[-1] for one in held.found}
        self._void = [*(key for one in held.found for key in one.keys[:-1]), *held.marks[:-1]]
        self._mark = held.marks[-1] if held.marks else None
        self._ahead = held.ahead
        self._unmarked = held.unmarked

    def forget(self, ids: Iterable[str]) -> None:
        """Let these conversations' states go with the next changes."""
        self._void += [self._newest.pop(id_) for id_ in ids]

    def outgoing(self, changes: Changes, mark: AssemblyState | None, topic: str, partition: int) -> list[Outgoing]:
        """The records that make a chunk durable, behind tombstones of what the chunks before it made void.

        They must be confirmed, in this order, before the next call. Without a mark there must be no changes. Behind the
        offsets that an earlier release wrote without marks, perhaps in part, the first mark can be told; until then
        states are written as it did.
        """
        records: list[tuple[bytes, bytes | None]] = [(key, None) for key in self._void]
        self._void = []
        is_behind = mark is not None and mark.offset < self._unmarked
        records += self._states(changes, is_marked=not is_behind)
        if mark is not None and not is_behind:
            records.append((_mark_key_of(mark.offset), codec.encode(mark)))
            self._pass(mark.offset)
        return [Outgoing(topic, partition, key, value) for key, value in records]

    def _states(self, changes: Changes, *, is_marked: bool) -> Iterator[tuple[bytes, bytes]]:
        for id_, change in changes.items():
            before = self._newest.pop(id_, None)
            key = None
            if change is not None:
                key = key_of(change) if is_marked else _unmarked_key_of(change)
                yield key, codec.encode(change.state)
            if key is not None and change is not None and not change.is_forgotten:
                self._newest[id_] = key
            elif key is not None:
                self._void.append(key)
            self._void += [before] if before not in (None, key) else []

    def _pass(self, offset: int) -> None:
        """Note the mark; what lay ahead of the last one now is what was written again, or void."""
        if self._mark is not None:
            self._void.append(self._mark)
        self._mark = _mark_key_of(offset)
        passed = {key for at, key in self._ahead if at <= offset}
        if passed:
            self._void += sorted(passed.difference(self._newest.values()))
            self._ahead = tuple(one for one in self._ahead if one[1] not in passed)
