"""Makes an adapter version known: folder into the registry, events beside it, then the announcement.

What will happen is written down before anything happens, so a process killed at any point leaves either nothing or an
intent that the next one carries out; every step, done twice, changes nothing. Half a version is never seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree

import orjson
import structlog

from schemas.artifacts import seal
from schemas.codec import from_json, to_json
from schemas.ids import stable_id
from schemas.records import Artifact, ModelEvent, ModelEventKind, Verdict
from trainers.protocols import Announcer, Registry

log = structlog.get_logger(__name__)

INTENT = "intent.json"
ADAPTER = "adapter"

KINDS: dict[Verdict, tuple[ModelEventKind, ...]] = {
    # Until there is a rollout, a version that passes its gate serves at once; an inconclusive one only stays on record.
    "pass": ("trained", "evaluated", "promoted"),
    "inconclusive": ("trained", "evaluated"),
    "fail": ("trained", "evaluated", "rejected"),
}


def nothing(_point: str) -> None:
    """What happens at a named point of a publication, unless a crash test wants more."""


@dataclass(frozen=True, slots=True)
class Publisher:
    """Publishes versions from staging folders below `work`; `reached` hears each named point that is passed."""

    registry: Registry
    announcer: Announcer
    work: Path
    reached: Callable[[str], None] = nothing

    @contextmanager
    def staging(self, name: str) -> Iterator[Path]:
        """A fresh folder for a version in the making; gone afterwards unless an intent was left in it."""
        stage = self.work / name
        rmtree(stage, ignore_errors=True)
        (stage / ADAPTER).mkdir(parents=True)
        try:
            yield stage
        finally:
            if not (stage / INTENT).exists():
                rmtree(stage, ignore_errors=True)

    def publish(self, stage: Path, event: ModelEvent, verdict: Verdict) -> ModelEvent:
        """Publish the adapter in a stage; `event` says all but name, kind and artifact. Gives the last event."""
        self.reached("saved")
        sealed = seal(stage / ADAPTER)
        self.reached("sealed")
        named = replace(event, adapter=adapter_name(event.task, event.number, sealed.sha256))
        events = [_of_kind(named, kind) for kind in KINDS[verdict]]
        _write_whole(stage / INTENT, orjson.dumps([to_json(one) for one in events]))
        self.reached("intended")
        return self._carry_out(stage)[-1]

    def heal(self) -> int:
        """Carry out what was intended, discard what was not, announce what is recorded but unknown; how many announced.

        Only one process may heal or publish below one `work` at a time.
        """
        for stage in sorted(self.work.iterdir()) if self.work.is_dir() else ():
            if (stage / INTENT).exists():
                self._carry_out(stage)
            else:
                log.info("half_made_adapter_discarded", stage=stage.name)
                rmtree(stage, ignore_errors=True)
        known = self.announcer.announced()
        lacking = [event for event in self.registry.events() if event.event_id not in known]
        for event in lacking:
            self._announce(event)
        return len(lacking)

    def _carry_out(self, stage: Path) -> list[ModelEvent]:
        drafts = [from_json(raw, ModelEvent) for raw in orjson.loads((stage / INTENT).read_bytes())]
        artifact = self.registry.publish(stage / ADAPTER, drafts[0].adapter)
        self.reached("uploaded")
        events = [replace(draft, artifact=artifact) for draft in drafts]
        for event in events:
            self.registry.record(event)
            self.reached(f"recorded_{event.kind}")
        known = self.announcer.announced()
        for event in events:
            if event.event_id not in known:
                self._announce(event)
            self.reached(f"announced_{event.kind}")
        # First the intent: killed in the middle of the folder, nobody may try to carry out what half is left of.
        (stage / INTENT).unlink()
        rmtree(stage)
        return events

    def _announce(self, event: ModelEvent) -> None:
        self.announcer.announce(event)
        log.info("model_event_announced", adapter=event.adapter, kind=event.kind)


def adapter_name(task: str, number: int, sha256: str) -> str:
    """`intent-00017-3fa9c1d2`: track, number, digest of the adapter's manifest."""
    return f"{task}-{number:05d}-{sha256[:8]}"


def _of_kind(event: ModelEvent, kind: ModelEventKind) -> ModelEvent:
    return replace(event, kind=kind, event_id=stable_id(event.adapter, kind, event.run_id))


def _write_whole(path: Path, data: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.rename(path)


def artifact_of(event: ModelEvent) -> Artifact:
    """The artifact of an event of a published version."""
    assert event.artifact is not None, f"{event.kind} of {event.adapter} has no artifact"
    return event.artifact
