"""What the training loop needs from others, and who never appears here: no ClickHouse, no Kafka, no file system.

`still/` fills these in; in-memory twins fill them in tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from schemas.records import Artifact, Example, ModelEvent, Split, Task
from trainers.items import Item

if TYPE_CHECKING:  # who only publishes or chooses batches need not load torch
    from trainers.evaluate import Evaluation
    from trainers.heads import Prediction
    from trainers.predict import Predictor

Progress = Callable[[str, float], None]
"""Gets what is being done, and the share of it that is done, in [0, 1]."""


class Freshness(Protocol):
    """How many admitted training examples landed after a watermark, and when the first of them did (microseconds)."""

    @property
    def count(self) -> int:
        """Admitted examples of the train split."""
        ...

    @property
    def oldest_us(self) -> int | None:
        """When the oldest of them landed; None without any."""
        ...


class ExampleStore(Protocol):
    """Where examples are queried; knows only newest revisions. Watermarks are opaque and never skip a late row."""

    def examples(
        self, task: Task, label_set: str, *, splits: Sequence[Split], admitted_only: bool, after: str | None
    ) -> Iterator[Example]:
        """Examples of these splits that landed after a watermark (None = all)."""
        ...

    def benchmark(self, task: Task, label_set: str) -> list[Example]:
        """The ground truth of a track."""
        ...

    def freshness(self, task: Task, label_set: str, after: str | None) -> Freshness:
        """What landed after a watermark."""
        ...

    def watermark(self) -> str:
        """The place up to which everything is visible now."""
        ...


class Registry(Protocol):
    """Durable store of adapter folders and of the model events about them."""

    def publish(self, folder: Path, name: str) -> Artifact:
        """Store a sealed folder whole under a name; again changes nothing."""
        ...

    def fetch(self, artifact: Artifact, into: Path) -> Path:
        """A verified copy of an adapter folder."""
        ...

    def next_number(self, task: Task) -> int:
        """One more than any number the task ever had."""
        ...

    def record(self, event: ModelEvent) -> None:
        """Keep an event for good; again changes nothing."""
        ...

    def events(self) -> list[ModelEvent]:
        """All events, in the order in which things happened."""
        ...


class Announcer(Protocol):
    """Makes model events known to serving layers."""

    def announced(self) -> set[str]:
        """The ids of the events that are known already."""
        ...

    def announce(self, event: ModelEvent) -> None:
        """Durable when it returns."""
        ...


@dataclass(frozen=True, slots=True)
class Made:
    """What a saved adapter folder is, as far as a model event must say, and how it does on development."""

    base_model: str
    base_revision: str
    tokenizer_sha256: str
    labels: tuple[str, ...]
    development: Evaluation


class Opened(Protocol):
    """A predictor that holds an adapter on a base until it is closed."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that it can answer with."""
        ...

    def predict(self, items: Sequence[Item], *, outputs: int | None = None) -> list[Prediction]:
        """See `Predictor.predict`."""
        ...

    def close(self) -> None:
        """Take the adapter off the base."""
        ...


class Learner(Protocol):
    """Trains one track; an adapter folder is all that it leaves behind."""

    def probe(self, items: Sequence[Item]) -> Predictor:
        """The floor that a first version must beat, learned from the same batch."""
        ...

    def train(
        self,
        items: Sequence[Item],
        development: Sequence[Item],
        folder: Path,
        *,
        warm: Path | None,
        progress: Progress,
    ) -> Made:
        """Train an adapter and write its folder; `warm` starts from another adapter's folder."""
        ...

    def load(self, folder: Path) -> Opened:
        """The adapter of a folder, ready to answer."""
        ...
