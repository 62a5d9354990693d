"""Adapter folders and model events of tests: real files, sealed as a trainer seals them."""

from dataclasses import dataclass, replace
from pathlib import Path

from schemas.artifacts import seal
from schemas.ids import stable_id
from schemas.records import Artifact, ModelEvent, ModelEventKind


def sealed_folder(folder: Path, content: bytes = b"weights") -> Path:
    """A sealed folder with one weights file and one configuration."""
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes(content)
    (folder / "adapter_config.json").write_text("{}", encoding="utf-8")
    seal(folder)
    return folder


def event(adapter: str, kind: ModelEventKind = "promoted", at: int = 1, artifact: Artifact | None = None) -> ModelEvent:
    """A model event of an intent adapter."""
    base = ModelEvent(
        event_id=stable_id(adapter, kind),
        kind=kind,
        task="intent",
        adapter=adapter,
        number=int(adapter.split("-")[1]),
        occurred_at=at,
        base_model="base",
        base_revision="r1",
        head="classify",
        label_set="shop",
        labels=("refund", "track"),
        rank=16,
        target_modules=("query",),
        tokenizer_sha256="t",
        batch="b",
        run_id="run",
        round=1,
    )
    return replace(base, artifact=artifact)


@dataclass(frozen=True, slots=True)
class FileAnnouncer:
    """Announces into a file, one event id a line, so that another process finds them again."""

    path: Path

    def announced(self) -> set[str]:
        """Ids in the file."""
        return set(self.ids())

    def ids(self) -> list[str]:
        """Ids in their order, repeats included."""
        return self.path.read_text(encoding="ascii").split() if self.path.exists() else []

    def announce(self, event: ModelEvent) -> None:
        """Append one."""
        with self.path.open("a", encoding="ascii") as file:
            file.write(event.event_id + "\n")
