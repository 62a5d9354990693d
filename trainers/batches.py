"""Batches: immutable, content-hashed snapshots of what one training round used, as Parquet with a manifest.

A batch is named by the sha256 of its rows in their order; the same rows make the same name and the same bytes. A folder
appears whole or not at all, is never changed, and is verified when it is read.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from shutil import rmtree
from typing import Any
from uuid import uuid4

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.records import Task
from trainers.errors import DamagedBatch
from trainers.gaps import Gap
from trainers.items import Item

ROWS, MANIFEST = "examples.parquet", "manifest.json"
FORMAT = 1
_JSON_COLUMNS = ("target", "messages", "tools")
_SCHEMA = pa.schema([(f.name, pa.float64() if f.name == "weight" else pa.string()) for f in fields(Item)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a batch is chosen; `max_per_label` None = only the room decides; `replay_share` of scarce room is older."""

    task: Task
    label_set: str
    max_items: int
    replay_share: float
    seed: int
    max_per_label: int | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of one training round in order, and how they were chosen; `left_out` counts reasons, `fresh` rows."""

    policy: Policy
    items: tuple[Item, ...]
    fresh: int
    watermark: str | None
    query: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()

    @property
    def sha256(self) -> str:
        """The content hash: of task, label set and every row in order."""
        digest = hashlib.sha256(orjson.dumps([self.policy.task, self.policy.label_set]))
        for item in self.items:
            digest.update(b"\n" + orjson.dumps(_row(item), option=orjson.OPT_SORT_KEYS))
        return digest.hexdigest()

    @property
    def buckets(self) -> dict[str, int]:
        """Rows per bucket."""
        return dict(sorted(Counter(item.bucket for item in self.items).items()))

    def summary(self) -> dict[str, Any]:
        """The manifest without the ids: what a model event and a model card tell about the batch."""
        size = len(self.items)
        return {
            "sha256": self.sha256,
            "rows": size,
            "fresh": self.fresh,
            "replay": size - self.fresh,
            "replay_share": round((size - self.fresh) / size, 4) if size else None,
            "watermark": self.watermark,
            "query": self.query,
            "policy": asdict(self.policy),
            "left_out": self.left_out,
            "gaps": [asdict(gap) for gap in self.gaps],
            "buckets": self.buckets,
        }


def write_batch(batch: Batch, folder: Path) -> Path:
    """Write the snapshot to `folder`/<task>/<hash>; an equal one already there is kept as it is."""
    target = folder / batch.policy.task / batch.sha256[:16]
    if target.exists():
        return target
    part = target.with_name(f".{target.name}.{uuid4().hex[:8]}")
    part.mkdir(parents=True)
    try:
        table = pa.Table.from_pylist([_row(item) for item in batch.items], schema=_SCHEMA)
        pq.write_table(table, part / ROWS, compression="zstd")
        ids = [item.id for item in batch.items]
        (part / MANIFEST).write_bytes(_pretty({"format": FORMAT, **batch.summary(), "ids": ids}))
        part.rename(target)
    finally:
        rmtree(part, ignore_errors=True)
    return target


def read_batch(folder: Path) -> Batch:
    """The batch in a folder.

    Raises:
        DamagedBatch: the rows do not have the hash that the manifest gives.
    """
    try:
        manifest = orjson.loads((folder / MANIFEST).read_bytes())
        rows = pq.read_table(folder / ROWS, schema=_SCHEMA).to_pylist()
        batch = Batch(
            Policy(**manifest["policy"]),
            tuple(_item(row) for row in rows),
            manifest["fresh"],
            manifest["watermark"],
            manifest["query"],
            manifest["left_out"],
            tuple(Gap(**gap) for gap in manifest["gaps"]),
        )
    except (OSError, orjson.JSONDecodeError, pa.ArrowException, KeyError, TypeError) as error:
        raise DamagedBatch(f"{folder} holds no readable batch: {error}") from error
    if batch.sha256 != manifest["sha256"]:
        raise DamagedBatch(
            f"{folder}: rows hash to {batch.sha256}, the manifest says {manifest['sha256']}; make it anew"
        )
    return batch


def _row(item: Item) -> dict[str, Any]:
    row = {f.name: getattr(item, f.name) for f in fields(Item)}
    packed = {name: orjson.dumps(row[name], option=orjson.OPT_SORT_KEYS).decode() for name in _JSON_COLUMNS}
    return {**row, **packed}


def _item(row: dict[str, Any]) -> Item:
    return Item(**{**row, **{name: orjson.loads(row[name]) for name in _JSON_COLUMNS}})


def _pretty(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)
