"""Keeps a serving layer on the champions: replays model events from the beginning, then follows them.

The adapter is fetched and its digest verified before anything is loaded; the new version is loaded before the old one
is unloaded; a name is bound to one digest for ever. What cannot be verified is refused, and the old version stays.
"""

from __future__ import annotations

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


@dataclass(slots=True)
class Subscriber:
    """Follows the champions of some tasks (None = all) into a loader."""

    source: Source
    fetcher: Fetcher
    loader: Loader
    folder: Path
    tasks: frozenset[Task] | None = None
    _states: AdapterStates = field(default_factory=AdapterStates)
    _loaded: dict[Track, str] = field(default_factory=dict)
    _digests: dict[str, str] = field(default_factory=dict)
    _refused: dict[str, str] = field(default_factory=dict)
    _waiting: dict[str, str] = field(default_factory=dict)
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
        return State(dict(self._loaded), dict(self._refused), dict(self._waiting), self._events)

    def _take(self, events: Iterable[ModelEvent]) -> State:
        for event in events:
            self._events += self._states.apply(event)
        champions = {track: event for track, event in self._states.champions().items() if self._wants(track)}
        for track, event in champions.items():
            if self._loaded.get(track) != event.adapter and event.adapter not in self._refused:
                self._switch(track, event)
        for track in self._loaded.keys() - champions.keys():
            self._unload(track)
        return self.state()

    def _wants(self, track: Track) -> bool:
        return self.tasks is None or track[0] in self.tasks

    def _switch(self, track: Track, event: ModelEvent) -> None:
        """Load the new version, then unload the old one; on any doubt the old one stays."""
        try:
            folder = self._verified(event)
        except (RefusedAdapter, DamagedArtifact) as refused:
            self._refused[event.adapter] = str(refused)
            log.warning("adapter_refused", adapter=event.adapter, kept=self._loaded.get(track), reason=str(refused))
            return
        except OSError as error:
            self._waiting[event.adapter] = str(error)
            log.warning("adapter_not_fetched", adapter=event.adapter, kept=self._loaded.get(track), reason=str(error))
            return
        self._waiting.pop(event.adapter, None)
        self.loader.load(event.adapter, folder, event)
        self._unload(track)
        self._loaded[track] = event.adapter
        log.info("adapter_serves", task=track[0], label_set=track[1], adapter=event.adapter)

    def _unload(self, track: Track) -> None:
        if old := self._loaded.pop(track, None):
            self.loader.unload(old)

    def _verified(self, event: ModelEvent) -> Path:
        if event.artifact is None:
            raise RefusedAdapter(f"{event.adapter} was promoted without an artifact; announce it with one")
        known = self._digests.setdefault(event.adapter, event.artifact.sha256)
        if known != event.artifact.sha256:
            raise RefusedAdapter(
                f"{event.adapter} had sha256 {known}, now {event.artifact.sha256}; names are never reused"
            )
        folder = self.fetcher.fetch(event.artifact, self.folder)
        verify(folder, event.artifact.sha256)
        return folder
