"""Keeps a serving layer on the champions: replays model events from the beginning, then follows them.

The adapter is fetched and its digest verified before anything is loaded; the new version is loaded before the old one
is unloaded; a name is bound for ever to the digest that verified under it. Until something verifies, the old version
stays: a damaged copy is fetched again after growing waits, then refused until another event tells of the version.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import structlog

from schemas.adapters import AdapterStates, Track
from schemas.artifacts import verify
from schemas.errors import DamagedArtifact
from schemas.records import Artifact, ModelEvent, Task
from serving.errors import RefusedAdapter

WAITS_S = (1.0, 4.0, 16.0, 64.0, 256.0)
"""Seconds between tries of a damaged copy; after the try that follows the last one it is refused."""

log = structlog.get_logger()


class Loader(Protocol):
    """What an engine must offer: adapters by name, several at a time."""

    def load(self, name: str, folder: Path, event: ModelEvent) -> None:
        """Make the adapter in this verified folder answer under its name."""
        ...

    def unload(self, name: str) -> None:
        """Finish what the adapter is answering, then forget it."""
        ...


class Fetcher(Protocol):
    """Where adapter folders come from; the registry is one."""

    def fetch(self, artifact: Artifact, into: Path) -> Path:
        """A copy of the adapter's folder below `into`."""
        ...


class Source(Protocol):
    """Model events in their order, from the first one on."""

    def replay(self) -> Iterable[ModelEvent]:
        """Every event there is now."""
        ...

    def follow(self, wait_s: float) -> Iterable[ModelEvent]:
        """Events that came since; waits so long for the first."""
        ...


@dataclass(frozen=True, slots=True)
class State:
    """What is loaded for which track, which champions were refused and why, and how many events were folded."""

    loaded: dict[Track, str]
    refused: dict[str, str]
    waiting: dict[str, str]
    events: int


@dataclass(frozen=True, slots=True)
class _Doubt:
    """Why an event's adapter is not loaded, how often its copy was damaged, when to try again (inf = never)."""

    event_id: str
    reason: str
    tries: int
    again: float


@dataclass(slots=True)
class Subscriber:
    """Follows the champions of some tasks (None = all) into a loader; `clock` gives seconds that only grow."""

    source: Source
    fetcher: Fetcher
    loader: Loader
    folder: Path
    tasks: frozenset[Task] | None = None
    clock: Callable[[], float] = time.monotonic
    _states: AdapterStates = field(default_factory=AdapterStates)
    _loaded: dict[Track, str] = field(default_factory=dict)
    _digests: dict[str, str] = field(default_factory=dict)
    _doubts: dict[str, _Doubt] = field(default_factory=dict)
    _events: int = 0

    def start(self) -> State:
        """Replay all events, then load the champions of now: versions that came and went meanwhile never load."""
        return self._take(self.source.replay())

    def step(self, wait_s: float) -> State:
        """Take what came, and try again what could not be fetched before."""
        return self._take(self.source.follow(wait_s))

    def run(self, stopped: Callable[[], bool], wait_s: float = 1.0) -> None:
        """Start, then follow until stopped."""
        self.start()
        while not stopped():
            self.step(wait_s)

    def state(self) -> State:
        """What is loaded, refused, and waiting for its folder."""
        refused = {name: doubt.reason for name, doubt in self._doubts.items() if doubt.again == math.inf}
        waiting = {name: doubt.reason for name, doubt in self._doubts.items() if name not in refused}
        return State(dict(self._loaded), refused, waiting, self._events)

    def _take(self, events: Iterable[ModelEvent]) -> State:
        for event in events:
            self._events += self._states.apply(event)
        champions = {t: self._newest(event) for t, event in self._states.champions().items() if self._wants(t)}
        for track, event in champions.items():
            if self._loaded.get(track) != event.adapter and self._is_due(event):
                self._switch(track, event)
        for track in self._loaded.keys() - champions.keys():
            self._unload(track)
        return self.state()

    def _wants(self, track: Track) -> bool:
        return self.tasks is None or track[0] in self.tasks

    def _newest(self, promoted: ModelEvent) -> ModelEvent:
        """What was last said of this champion: it may name the folder that the promotion named wrongly."""
        newest = self._states.newest[promoted.adapter]
        return promoted if newest.artifact is None else newest

    def _is_due(self, event: ModelEvent) -> bool:
        doubt = self._doubts.get(event.adapter)
        return doubt is None or doubt.event_id != event.event_id or self.clock() >= doubt.again

    def _switch(self, track: Track, event: ModelEvent) -> None:
        """Load the new version, then unload the old one; on any doubt the old one stays."""
        try:
            folder = self._verified(event)
        except (RefusedAdapter, DamagedArtifact, OSError) as error:
            doubt = self._doubts[event.adapter] = self._doubt(event, error)
            what = "adapter_refused" if doubt.again == math.inf else "adapter_not_fetched"
            log.warning(what, adapter=event.adapter, kept=self._loaded.get(track), reason=doubt.reason)
            return
        self._doubts.pop(event.adapter, None)
        self.loader.load(event.adapter, folder, event)
        self._unload(track)
        self._loaded[track] = event.adapter
        log.info("adapter_serves", task=track[0], label_set=track[1], adapter=event.adapter)

    def _doubt(self, event: ModelEvent, error: Exception) -> _Doubt:
        """What this failure means: a conflict is final, an absent store is asked each time, damage only so often."""
        before = self._doubts.get(event.adapter)
        tries = before.tries if before is not None and before.event_id == event.event_id else 0
        if isinstance(error, OSError):
            return _Doubt(event.event_id, str(error), tries, self.clock())
        if isinstance(error, RefusedAdapter):
            return _Doubt(event.event_id, str(error), tries, math.inf)
        if tries == len(WAITS_S):
            return _Doubt(event.event_id, f"{error} (tried {tries + 1} times)", tries + 1, math.inf)
        return _Doubt(event.event_id, str(error), tries + 1, self.clock() + WAITS_S[tries])

    def _unload(self, track: Track) -> None:
        if old := self._loaded.pop(track, None):
            self.loader.unload(old)

    def _verified(self, event: ModelEvent) -> Path:
        if event.artifact is None:
            raise RefusedAdapter(f"{event.adapter} was promoted without an artifact; announce it with one")
        known = self._digests.get(event.adapter, event.artifact.sha256)
        if known != event.artifact.sha256:
            raise RefusedAdapter(
                f"{event.adapter} had sha256 {known}, now {event.artifact.sha256}; names are never reused"
            )
        folder = self.fetcher.fetch(event.artifact, self.folder)
        verify(folder, event.artifact.sha256)
        # Only now: a digest that nothing ever had must not stand in the way of the corrected event.
        self._digests[event.adapter] = event.artifact.sha256
        return folder
