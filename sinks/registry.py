"""The adapter store on any file system that fsspec knows: adapter folders by name, and the model events beside them.

A version exists once its manifest does, and the manifest is written last: a half copy is never seen, and writing it
again completes it. A name, once taken, keeps its content. The events here are the durable list; Kafka's copy is
restored from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any, Protocol
from uuid import uuid4

import fsspec
import structlog

from schemas.adapters import in_order
from schemas.artifacts import MANIFEST, read_manifest, verify
from schemas.codec import decode, encode
from schemas.errors import DamagedArtifact, SchemaError
from schemas.records import Artifact, ModelEvent, Task
from schemas.wire import fixed
from sinks.errors import DamagedRegistry, NameTaken, RegistryUnavailable

log = structlog.get_logger()


class Announcer(Protocol):
    """Where model events are made known; knows what it holds already."""

    def announced(self) -> set[str]:
        """The ids of all events that it holds."""

    def announce(self, event: ModelEvent) -> None:
        """Durable when it returns."""


@dataclass(frozen=True, slots=True)
class Registry:
    """One adapter store; `open_registry` makes it from a URI."""

    files: Any  # fsspec.AbstractFileSystem, which has no types
    root: str

    def publish(self, folder: Path, name: str) -> Artifact:
        """Upload a sealed adapter folder under its name; the same folder again changes nothing.

        Raises:
            DamagedArtifact: the folder is not as its manifest says.
            NameTaken: another content has the name.
            RegistryUnavailable: the store cannot be written.
        """
        sealed, target = verify(folder), self._path_of(name)
        artifact = Artifact(self.files.unstrip_protocol(target), sealed.sha256, sealed.bytes)
        with self._reaching(target):
            if self.files.exists(f"{target}/{MANIFEST}"):
                return self._same(artifact, target, folder)
            self.files.makedirs(target, exist_ok=True)
            for file in sealed.files[:-1]:
                self.files.makedirs(f"{target}/{file}".rpartition("/")[0], exist_ok=True)
                self.files.put_file(str(folder / file), f"{target}/{file}")
            self._write(f"{target}/{MANIFEST}", (folder / MANIFEST).read_bytes())
        log.info("adapter_stored", adapter=name, uri=artifact.uri, bytes=artifact.bytes)
        return artifact

    def fetch(self, artifact: Artifact, into: Path) -> Path:
        """Copy an adapter folder to `into`/<name> and verify it; a verified copy already there is used.

        Raises:
            DamagedArtifact: the copy is not the announced content; nothing is left behind.
            FileNotFoundError: the store does not hold it.
        """
        files, source = fsspec.core.url_to_fs(artifact.uri)
        copy: Path = into / source.rstrip("/").rpartition("/")[2]
        if copy.is_dir() and _verifies(copy, artifact.sha256):
            return copy
        part = into / f".{copy.name}.{uuid4().hex[:8]}"
        try:
            _download(files, source, part)
            verify(part, artifact.sha256)
            rmtree(copy, ignore_errors=True)
            part.rename(copy)
        finally:
            rmtree(part, ignore_errors=True)
        return copy

    def names(self, task: Task) -> list[str]:
        """The names of all whole versions of a task, in order of their numbers."""
        with self._reaching(self.root):
            manifests = self.files.glob(f"{self.root}/adapters/{task}/*/{MANIFEST}")
        return sorted(path.split("/")[-2] for path in manifests)

    def next_number(self, task: Task) -> int:
        """One more than any version of the task ever had here, half copies included."""
        with self._reaching(self.root):
            taken = self.files.glob(f"{self.root}/adapters/{task}/{task}-*")
        events = (event.number for event in self.events() if event.task == task)
        return max([0, *(number_of(path.rpartition("/")[2]) for path in taken), *events]) + 1

    def record(self, event: ModelEvent) -> None:
        """Keep a model event for good; the same event again changes nothing."""
        path = f"{self.root}/events/{event.adapter}/{event.kind}-{event.event_id}.avro"
        with self._reaching(path):
            if not self.files.exists(path):
                self.files.makedirs(path.rpartition("/")[0], exist_ok=True)
                # The fixed numbers: these files outlive any Schema Registry.
                self._write(path, encode(event, fixed()))

    def events(self) -> list[ModelEvent]:
        """Every model event ever recorded, in the order in which things happened.

        Raises:
            DamagedRegistry: a file is no model event; the message names it.
            RegistryUnavailable: the store cannot be read.
        """
        with self._reaching(self.root):
            paths = self.files.glob(f"{self.root}/events/*/*.avro")
            return in_order(self._event(path) for path in paths)

    def _event(self, path: str) -> ModelEvent:
        try:
            return decode(self.files.cat_file(path), ModelEvent, fixed())
        except SchemaError as error:
            raise DamagedRegistry(
                f"registry file {path} is no model event known here: {error}; if damaged, replace or move it"
            ) from error

    def restore(self, announcer: Announcer) -> int:
        """Announce every recorded event that the announcer lacks; how many those were."""
        known = announcer.announced()
        lacking = [event for event in self.events() if event.event_id not in known]
        for event in lacking:
            announcer.announce(event)
        log.info("model_events_restored", known=len(known), announced=len(lacking))
        return len(lacking)

    def _path_of(self, name: str) -> str:
        return f"{self.root}/adapters/{name.partition('-')[0]}/{name}"

    def _same(self, artifact: Artifact, target: str, folder: Path) -> Artifact:
        if self.files.cat_file(f"{target}/{MANIFEST}") != (folder / MANIFEST).read_bytes():
            raise NameTaken(f"{artifact.uri} holds another content; a name is never reused, take the next number")
        return artifact

    def _write(self, path: str, data: bytes) -> None:
        """Write a file so that it is seen whole or not at all, on file systems whose writes are not atomic as well."""
        part = f"{path}.{uuid4().hex[:8]}.part"
        self.files.pipe_file(part, data)
        self.files.mv(part, path)

    @contextmanager
    def _reaching(self, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RegistryUnavailable(f"registry {path} cannot be used: {error}; check STILL_REGISTRY") from error


def open_registry(uri: str) -> Registry:
    """The registry at an fsspec URI, e.g. `file:///var/lib/still/registry` or `s3://models`.

    Raises:
        RegistryUnavailable: fsspec cannot serve this URI.
    """
    try:
        files, root = fsspec.core.url_to_fs(uri)
    except (ValueError, ImportError) as error:
        raise RegistryUnavailable(f"registry {uri!r}: {error}; set STILL_REGISTRY to an fsspec URI") from error
    return Registry(files, root.rstrip("/"))


def number_of(name: str) -> int:
    """The number in an adapter's name, 0 where there is none."""
    parts = name.split("-")
    return int(parts[1]) if len(parts) == 3 and parts[1].isdigit() else 0


def _verifies(folder: Path, sha256: str) -> bool:
    try:
        verify(folder, sha256)
    except DamagedArtifact:
        return False
    return True


def _download(files: Any, source: str, part: Path) -> None:
    manifest = files.cat_file(f"{source}/{MANIFEST}")
    part.mkdir(parents=True)
    for file in read_manifest(manifest, source):
        (part / file).parent.mkdir(parents=True, exist_ok=True)
        files.get_file(f"{source}/{file}", str(part / file))
    (part / MANIFEST).write_bytes(manifest)
