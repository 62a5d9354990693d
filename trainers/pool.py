"""What a run may choose from: items of one track, frozen at one watermark, with the held-out sides beside them.

Gathered from the example store, or read directly from a labelled data file, which is then used unchanged. Where nothing
is marked as development, a tenth of the training side's customers is held back for it, never the benchmark. Half of
development is set apart to calibrate on: what chose the epoch and the next batch would flatter its own certificate.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from schemas.ids import share
from schemas.records import Example
from trainers.held_out import HeldOut
from trainers.items import AS_SAID, Item, Stored, item_of, items_of_file
from trainers.protocols import ExampleStore
from trainers.tracks import Track

DEVELOPMENT_SHARE = 0.1
CALIBRATION_SHARE = 0.5
LEAST_TO_CALIBRATE = 107
"""Fewer items certify nothing, even without an error (`trainers.calibrate`), and serve better as development."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Fresh and older training items, the held-out sides, and where all of it came from.

    Development stops the training and chooses the next batch; calibration only certifies confidence; the benchmark
    only judges. `reserved` is ground truth of the store that a file's version is not measured on here: it is not
    trained on either.
    """

    fresh: tuple[Item, ...]
    older: tuple[Item, ...]
    development: tuple[Item, ...]
    benchmark: tuple[Item, ...]
    watermark: str | None = None
    query: dict[str, Any] = field(default_factory=dict)
    calibration: tuple[Item, ...] = ()
    reserved: tuple[Item, ...] = ()


def gather(store: ExampleStore, track: Track, after: str | None) -> Pool:
    """Everything admitted for a track, split into what landed after a watermark and what was there before."""
    watermark = store.watermark()

    def read(after: str | None, *splits: Any, admitted_only: bool = True) -> list[Item]:
        found = store.examples(track.task, track.label_set, splits=splits, admitted_only=admitted_only, after=after)
        return [item_of(example, track) for example in found if trainable(example, track)]

    known = read(None, "train")
    late = {item.id for item in read(after, "train")} if after is not None else {item.id for item in known}
    fresh, older = [i for i in known if i.id in late], [i for i in known if i.id not in late]
    development = read(None, "development")
    benchmark = benchmark_of(store, track)
    query = {"after": after, "admitted_only": True, "min_quality": track.min_quality, "label_set": track.label_set}
    pool = Pool(tuple(fresh), tuple(older), tuple(development), tuple(benchmark), watermark, query)
    return _with_sides(pool, track)


def benchmark_of(store: ExampleStore, track: Track) -> list[Item]:
    """The ground truth of a track in the store."""
    return [item_of(example, track) for example in store.benchmark(track.task, track.label_set)]


def read_pool(path: Path, track: Track, stored: Stored = AS_SAID, reserved: Sequence[Item] = ()) -> Pool:
    """The pool in a labelled data file; every training line counts as fresh.

    `reserved` = the store's benchmark of the track, whose texts and customers, as `stored` finds them, are left out.

    Raises:
        InvalidItem: `file:line: what`.
    """
    items = items_of_file(path, track, stored)
    sides = {split: tuple(i for i in items if i.split == split) for split in ("train", "development", "benchmark")}
    query = {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "unchanged": True}
    pool = Pool(sides["train"], (), sides["development"], sides["benchmark"], None, query, reserved=tuple(reserved))
    return _with_sides(pool, track)


def trainable(example: Example, track: Track) -> bool:
    """Whether an admitted example also reaches the track's own threshold; what a person labelled always does."""
    return example.origin != "production" or example.quality is None or example.quality >= track.min_quality


def _with_sides(pool: Pool, track: Track) -> Pool:
    """The pool with development that knows nothing of the benchmark, and calibration where it can certify anything."""
    pool = _with_development(pool)
    held = HeldOut.of(benchmark=pool.benchmark, store_benchmark=pool.reserved)
    reasons = [held.reason(item) for item in pool.development]
    apart = [item for item, reason in zip(pool.development, reasons, strict=True) if reason is None]
    development, calibration = _part(apart, "calibration", CALIBRATION_SHARE)
    calibration, repeats = _unlike(calibration, development)
    if track.metric == "token_loss" or len(calibration) < LEAST_TO_CALIBRATE:
        development, calibration, repeats = tuple(apart), (), []
    told = {
        "development": len(development),
        "calibration": len(calibration),
        "left_out": dict(sorted(Counter(filter(None, [*reasons, *repeats])).items())),
    }
    query = {**pool.query, "held_out": told}
    return replace(pool, development=development, calibration=calibration, query=query)


def _unlike(items: tuple[Item, ...], development: tuple[Item, ...]) -> tuple[tuple[Item, ...], list[str | None]]:
    """What shares no words with development, and for each item why it would not do."""
    held = HeldOut.of(development=development)
    reasons = [held.reason(item) for item in items]
    return tuple(item for item, reason in zip(items, reasons, strict=True) if reason is None), reasons


def _with_development(pool: Pool) -> Pool:
    if pool.development:
        return pool
    fresh, held = _part(pool.fresh, "development", DEVELOPMENT_SHARE)
    older, held_older = _part(pool.older, "development", DEVELOPMENT_SHARE)
    query = {**pool.query, "development": f"{DEVELOPMENT_SHARE} of the customers of the training side"}
    return replace(pool, fresh=fresh, older=older, development=held + held_older, query=query)


def _part(items: Iterable[Item], salt: str, held_share: float) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """What is kept and what is held, by customer, else conversation."""
    kept: list[Item] = []
    held: list[Item] = []
    for item in items:
        unit = item.customer or item.conversation_id
        (held if share(unit, salt) < held_share else kept).append(item)
    return tuple(kept), tuple(held)
