"""The adapter store: whole or absent, verified, names for life, events for good."""

from pathlib import Path

import pytest

from schemas.errors import DamagedArtifact
from schemas.records import ModelEvent
from sinks.errors import DamagedRegistry, NameTaken, RegistryUnavailable
from sinks.registry import Registry, number_of, open_registry
from tests.adapters import event, sealed_folder

NAME = "intent-00001-0a1b2c3d"


@pytest.fixture(name="registry", params=["file", "memory"])
def _registry(request: pytest.FixtureRequest, tmp_path: Path) -> Registry:
    """The same laws hold on a local folder and on a store without renames."""
    return open_registry(f"file://{tmp_path}/store" if request.param == "file" else f"memory://{tmp_path.name}")


def test_a_published_folder_comes_back_whole(registry: Registry, tmp_path: Path) -> None:
    """Fetch gives the files that were published, under the adapter's name."""
    artifact = registry.publish(sealed_folder(tmp_path / "made"), NAME)
    copy = registry.fetch(artifact, tmp_path / "cache")
    assert (tmp_path / "cache" / NAME) == copy
    assert (copy / "adapter_model.safetensors").read_bytes() == b"weights"
    assert sum(file.stat().st_size for file in copy.iterdir()) == artifact.bytes
    assert registry.fetch(artifact, tmp_path / "cache") == copy


def test_publishing_again_changes_nothing(registry: Registry, tmp_path: Path) -> None:
    """The same folder under the same name gives the same artifact."""
    made = sealed_folder(tmp_path / "made")
    assert registry.publish(made, NAME) == registry.publish(made, NAME)
    assert registry.names("intent") == [NAME]


def test_a_name_keeps_its_content(registry: Registry, tmp_path: Path) -> None:
    """Another content under a taken name is refused."""
    registry.publish(sealed_folder(tmp_path / "one"), NAME)
    with pytest.raises(NameTaken, match="never reused"):
        registry.publish(sealed_folder(tmp_path / "two", b"other"), NAME)


def test_a_half_copy_is_never_seen_and_is_completed(registry: Registry, tmp_path: Path) -> None:
    """Files without a manifest are no version; publishing completes them; their number is spent."""
    target = f"{registry.root}/adapters/intent/{NAME}"
    registry.files.makedirs(target)
    registry.files.pipe_file(f"{target}/adapter_model.safetensors", b"wei")
    assert registry.names("intent") == []
    assert registry.next_number("intent") == 2
    artifact = registry.publish(sealed_folder(tmp_path / "made"), NAME)
    assert (registry.fetch(artifact, tmp_path / "cache") / "adapter_model.safetensors").read_bytes() == b"weights"


@pytest.mark.parametrize("file", ["adapter_model.safetensors", "manifest.json"])
def test_a_damaged_copy_is_refused_and_not_kept(registry: Registry, tmp_path: Path, file: str) -> None:
    """A changed byte in the store ends in DamagedArtifact, and the cache stays empty."""
    artifact = registry.publish(sealed_folder(tmp_path / "made"), NAME)
    path = f"{registry.root}/adapters/intent/{NAME}/{file}"
    registry.files.pipe_file(path, registry.files.cat_file(path) + b" ")
    with pytest.raises(DamagedArtifact):
        registry.fetch(artifact, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_manifest_cannot_reach_outside(registry: Registry, tmp_path: Path) -> None:
    """A manifest that names a path above its folder is refused before anything is copied."""
    artifact = registry.publish(sealed_folder(tmp_path / "made"), NAME)
    path = f"{registry.root}/adapters/intent/{NAME}/manifest.json"
    registry.files.pipe_file(path, b'{"files": {"../evil": {"sha256": "0", "bytes": 1}}}')
    with pytest.raises(DamagedArtifact, match="evil"):
        registry.fetch(artifact, tmp_path / "cache")


def test_a_missing_adapter_says_so(registry: Registry, tmp_path: Path) -> None:
    """An artifact that the store does not hold is a FileNotFoundError."""
    artifact = registry.publish(sealed_folder(tmp_path / "made"), NAME)
    registry.files.rm(f"{registry.root}/adapters/intent/{NAME}", recursive=True)
    with pytest.raises(FileNotFoundError):
        registry.fetch(artifact, tmp_path / "cache")


def test_events_come_back_in_their_order_once(registry: Registry) -> None:
    """Events are listed by time and by the order of a version's life, however often they were recorded."""
    trained, promoted = event(NAME, "trained"), event(NAME, "promoted")
    later = event("intent-00002-0a1b2c3d", "trained", at=2)
    for one in (later, promoted, trained, promoted):
        registry.record(one)
    assert [trained, promoted, later] == registry.events()
    assert registry.next_number("intent") == 3
    assert registry.next_number("safety") == 1


@pytest.mark.parametrize("content", [b"", b"\x00\x00\x00\x00\x01", b"rubbish"])
def test_a_damaged_event_is_named(registry: Registry, content: bytes) -> None:
    """A file that is no event is an error of the store that names the file; nothing is listed without it."""
    registry.record(event(NAME, "trained"))
    registry.files.pipe_file(f"{registry.root}/events/{NAME}/promoted-0.avro", content)
    with pytest.raises(DamagedRegistry, match=rf"{NAME}/promoted-0\.avro is no model event"):
        registry.events()


class _Log:
    """An announcer in memory."""

    def __init__(self, *held: ModelEvent) -> None:
        self.held = list(held)

    def announced(self) -> set[str]:
        return {one.event_id for one in self.held}

    def announce(self, event: ModelEvent) -> None:
        self.held.append(event)


def test_restore_announces_what_is_missing_once(registry: Registry) -> None:
    """After a restore the announcer holds every event, and a second restore adds none."""
    trained, promoted = event(NAME, "trained"), event(NAME, "promoted")
    registry.record(promoted)
    registry.record(trained)
    log = _Log(trained)
    assert (registry.restore(log), registry.restore(log)) == (1, 0)
    assert log.held == [trained, promoted]


def test_an_unwritable_store_is_a_clear_error(tmp_path: Path) -> None:
    """A path below a file cannot be a registry; the error names it."""
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    registry = open_registry(f"file://{tmp_path}/file/store")
    with pytest.raises(RegistryUnavailable, match="STILL_REGISTRY"):
        registry.publish(sealed_folder(tmp_path / "made"), NAME)


def test_an_unknown_scheme_is_a_clear_error() -> None:
    """A URI that fsspec does not know is refused at once."""
    with pytest.raises(RegistryUnavailable, match="gopher"):
        open_registry("gopher://somewhere")


def test_numbers_are_read_from_names() -> None:
    """A name without a number counts as 0."""
    assert (number_of(NAME), number_of("intent")) == (1, 0)
