"""Where seals lie: what cannot be a registry or a seal is one clear error that names it."""

from pathlib import Path

import pytest

from sinks.errors import DamagedRegistry, RegistryUnavailable
from still.seals import store, stored
from streams.seal import BenchmarkItem, seal

ITEM = BenchmarkItem("b1", "intent", "cards", "[]", '"lost"', "t1", None)
SEAL = seal("v1", "cards", [ITEM], [])


def test_a_seal_is_stored_once_and_listed_without_its_items(tmp_path: Path) -> None:
    """The same seal again lies at the same place."""
    uri = f"file://{tmp_path}/registry"
    assert store(SEAL, uri) == store(SEAL, uri)
    assert [(one["name"], one["items"], "item_hashes" in one) for one in stored(uri)] == [("v1", 1, False)]


def test_a_uri_that_nobody_serves_is_refused() -> None:
    """With the setting to mend."""
    with pytest.raises(RegistryUnavailable, match="foo://x"):
        stored("foo://x")
    with pytest.raises(RegistryUnavailable, match="STILL_REGISTRY"):
        store(SEAL, "foo://x")


@pytest.mark.parametrize("content", [b"", b"[1]", b'{"name": "v1"}'])
def test_a_damaged_seal_is_named(tmp_path: Path, content: bytes) -> None:
    """Neither listed nor compared with."""
    uri = f"file://{tmp_path}/registry"
    Path(store(SEAL, uri)).write_bytes(content)
    with pytest.raises(DamagedRegistry, match=r"v1\.json is no seal"):
        stored(uri)
    with pytest.raises(DamagedRegistry, match=r"v1\.json is no seal"):
        store(SEAL, uri)
