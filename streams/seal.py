"""Seals a benchmark: an immutable statement of which items it has, refused where training data would leak into it.

Pure. The content hash depends on the items only, not on their order or on when they were imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.ids import content_hash
from streams.errors import CannotSeal

SHOWN = 3


@dataclass(frozen=True, slots=True)
class BenchmarkItem:
    """What identifies an item of ground truth; `input` and `target` as JSON text."""

    example_id: str
    task: str
    label_set: str
    input: str
    target: str
    text_hash: str
    customer_hash: str | None


@dataclass(frozen=True, slots=True)
class TrainingTrace:
    """Where a training example may meet a benchmark."""

    example_id: str
    task: str
    label_set: str
    text_hash: str
    customer_hash: str | None


@dataclass(frozen=True, slots=True)
class Seal:
    """The sealed benchmark: its name, counts per task, and the hash over all its items."""

    name: str
    label_set: str
    items: int
    tasks: Mapping[str, int]
    sha256: str
    item_hashes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {name: getattr(self, name) for name in self.__slots__} | {"item_hashes": list(self.item_hashes)}


def seal(name: str, label_set: str, items: Sequence[BenchmarkItem], training: Iterable[TrainingTrace]) -> Seal:
    """The seal over these items.

    Raises:
        CannotSeal: there are none, or training data shares their customers or normalised texts; with counts.
    """
    if not items:
        raise CannotSeal(f"label set {label_set!r} has no benchmark items; import some with `still benchmark import`")
    if leaks := _leaks(items, training):
        raise CannotSeal(f"benchmark {name!r} leaks: {'; '.join(leaks)}; move these to one side and import again")
    hashes = tuple(sorted(_item_hash(item) for item in items))
    tasks = {task: sum(item.task == task for item in items) for task in sorted({item.task for item in items})}
    return Seal(name, label_set, len(items), tasks, content_hash(hashes), hashes)


def unchanged(new: Seal, sealed: Mapping[str, Any]) -> None:
    """Accept a seal that says what the stored one of its name says.

    Raises:
        CannotSeal: other content under a name that is taken.
    """
    if new.sha256 != sealed["sha256"]:
        raise CannotSeal(
            f"benchmark {new.name!r} is sealed with {sealed['items']} items (sha256 {sealed['sha256'][:12]}), "
            f"now there are {new.items} ({new.sha256[:12]}); a sealed name never changes: seal under a new name"
        )


def _leaks(items: Sequence[BenchmarkItem], training: Iterable[TrainingTrace]) -> list[str]:
    customers = {item.customer_hash for item in items if item.customer_hash}
    texts = {(item.task, item.label_set, item.text_hash) for item in items}
    shared_customers: dict[str, str] = {}
    shared_texts: dict[str, str] = {}
    for trace in training:
        if trace.customer_hash in customers:
            shared_customers.setdefault(str(trace.customer_hash), trace.example_id)
        if (trace.task, trace.label_set, trace.text_hash) in texts:
            shared_texts.setdefault(trace.text_hash, trace.example_id)
    found = [("customers", shared_customers), ("normalised texts", shared_texts)]
    return [_told(what, shared) for what, shared in found if shared]


def _told(what: str, shared: Mapping[str, str]) -> str:
    shown = ", ".join(f"{value[:14]} in training example {example}" for value, example in list(shared.items())[:SHOWN])
    return f"{len(shared)} {what} are also in training data ({shown})"


def _item_hash(item: BenchmarkItem) -> str:
    return content_hash([item.task, item.label_set, item.input, item.target])
