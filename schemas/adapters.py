"""What model events add up to: the state of every adapter version, and which one is champion of each track.

A pure fold that trainers, serving layers and commands share, so that all of them name the same champion. Folding an
event twice changes nothing; a withdrawn champion hands back to the newest promoted version that still stands.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import get_args

from schemas.records import ModelEvent, ModelEventKind, Task

Track = tuple[Task, str]
"""A task and its label set: what has one champion."""

KIND_ORDER: tuple[ModelEventKind, ...] = get_args(ModelEventKind)
WITHDRAWN: frozenset[ModelEventKind] = frozenset({"rejected", "rolled_back", "retired", "tainted"})


@dataclass(slots=True)
class AdapterStates:
    """Fold model events one by one; read the newest event of each adapter and the champions."""

    newest: dict[str, ModelEvent] = field(default_factory=dict)
    _standing: dict[Track, dict[str, ModelEvent]] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def apply(self, event: ModelEvent) -> bool:
        """Fold one event; False when it was folded before."""
        if event.event_id in self._seen:
            return False
        self._seen.add(event.event_id)
        self.newest[event.adapter] = event
        standing = self._standing.setdefault((event.task, event.label_set), {})
        if event.kind == "promoted":
            standing.setdefault(event.adapter, event)
        elif event.kind in WITHDRAWN:
            standing.pop(event.adapter, None)
        return True

    def champion(self, task: Task, label_set: str) -> ModelEvent | None:
        """The event that promoted the version which serves this track, or None before the first promotion."""
        return self.champions().get((task, label_set))

    def champions(self) -> dict[Track, ModelEvent]:
        """The champion of every track that has one."""
        return {track: list(standing.values())[-1] for track, standing in self._standing.items() if standing}


def fold(events: Iterable[ModelEvent]) -> AdapterStates:
    """The state after these events, in their order."""
    states = AdapterStates()
    for event in events:
        states.apply(event)
    return states


def in_order(events: Iterable[ModelEvent]) -> list[ModelEvent]:
    """Events as they happened: by time, then by number, then by the order of a version's life."""
    return sorted(events, key=lambda event: (event.occurred_at, event.number, KIND_ORDER.index(event.kind)))
