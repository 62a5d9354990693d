"""Snapshots: named by content, whole or absent, never changed, verified when read."""

from pathlib import Path

import orjson
import pytest

from tests.trainers.made import contacts
from trainers.batches import MANIFEST, ROWS, Batch, Policy, read_batch, write_batch
from trainers.compose import compose
from trainers.errors import DamagedBatch
from trainers.pool import Pool

POLICY = Policy(task="intent", label_set="shop", max_items=100, replay_share=0.3, seed=7)


def _batch(count: int = 20) -> Batch:
    return compose(Pool(tuple(contacts(count)), (), (), (), "mark-1", {"after": None}), POLICY)


def test_a_batch_comes_back_as_it_was(tmp_path: Path) -> None:
    """Reading a written batch gives an equal one."""
    batch = _batch()
    assert read_batch(write_batch(batch, tmp_path)) == batch


def test_the_same_batch_makes_the_same_bytes(tmp_path: Path) -> None:
    """Two folders of one batch are equal byte for byte; writing again changes nothing."""
    one, other = (write_batch(_batch(), tmp_path / name) for name in ("one", "other"))
    assert write_batch(_batch(), tmp_path / "one") == one
    assert [(one / f).read_bytes() for f in (ROWS, MANIFEST)] == [(other / f).read_bytes() for f in (ROWS, MANIFEST)]


def test_the_manifest_tells_how_it_was_chosen(tmp_path: Path) -> None:
    """Query, watermark, ids, counts, seed and hash stand in the manifest."""
    batch = _batch()
    manifest = orjson.loads((write_batch(batch, tmp_path) / MANIFEST).read_bytes())
    assert manifest["ids"] == [item.id for item in batch.items]
    assert (manifest["sha256"], manifest["watermark"], manifest["policy"]["seed"]) == (batch.sha256, "mark-1", 7)
    assert (manifest["rows"], sum(manifest["buckets"].values()), manifest["replay"]) == (20, 20, 0)


def test_changed_rows_are_found_out(tmp_path: Path) -> None:
    """Rows of another batch under this manifest are refused, and so is no Parquet at all."""
    folder, other = write_batch(_batch(), tmp_path), write_batch(_batch(21), tmp_path)
    (folder / ROWS).write_bytes((other / ROWS).read_bytes())
    with pytest.raises(DamagedBatch, match="hash"):
        read_batch(folder)
    (folder / ROWS).write_bytes(b"none")
    with pytest.raises(DamagedBatch, match="no readable batch"):
        read_batch(folder)


def test_an_empty_batch_is_a_batch(tmp_path: Path) -> None:
    """No rows: no replay share, but a hash and a snapshot."""
    batch = _batch(0)
    assert batch.summary()["replay_share"] is None
    assert read_batch(write_batch(batch, tmp_path)) == batch
