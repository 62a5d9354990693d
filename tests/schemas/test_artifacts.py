"""The closed list of what an adapter folder may hold."""

import hashlib
from pathlib import Path

import orjson
import pytest

from schemas.artifacts import MANIFEST, seal, verify
from schemas.errors import DamagedArtifact
from tests.adapters import sealed_folder


@pytest.mark.parametrize("name", ["adapter_model.bin", "head.pt", "data.pkl", "run.py", "deep/x.so", "noending"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, name: str) -> None:
    """Neither sealed nor, where somebody else listed it with its right digest, verified."""
    folder = sealed_folder(tmp_path / "made")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"x")
    with pytest.raises(DamagedArtifact, match=f"holds {name}; an adapter has"):
        seal(folder)
    listed = orjson.loads((folder / MANIFEST).read_bytes())
    listed["files"][name] = {"sha256": hashlib.sha256(b"x").hexdigest(), "bytes": 1}
    (folder / MANIFEST).write_bytes(orjson.dumps(listed))
    with pytest.raises(DamagedArtifact, match=f"holds {name}; an adapter has"):
        verify(folder, hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest())


def test_what_a_trainer_writes_is_sealed_and_verified(tmp_path: Path) -> None:
    """Weights, head, configuration, card and model card."""
    folder = sealed_folder(tmp_path / "made")
    for name in ("head.safetensors", "still.json", "README.md"):
        (folder / name).write_bytes(b"x")
    sealed = seal(folder)
    assert verify(folder, sealed.sha256) == sealed
