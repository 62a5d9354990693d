"""An adapter folder as it travels: its manifest of file digests, and the one digest that names them all.

The manifest lists every file but itself; the digest is the sha256 of the manifest's bytes, so whoever knows the digest
(from a model event) can check a whole folder. Makers seal, readers verify; nobody loads what does not verify.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import orjson

from schemas.errors import DamagedArtifact

MANIFEST = "manifest.json"
KINDS = frozenset({".safetensors", ".json", ".md"})
"""What an adapter folder may hold: weights, configuration, the model card. Nothing whose reading can run code."""

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Sealed:
    """A folder's manifest digest (sha256, hex), and the size of all its files in bytes, the manifest included."""

    sha256: str
    bytes: int
    files: tuple[str, ...]


def seal(folder: Path) -> Sealed:
    """Write the folder's manifest and return its digest; the same files always make the same digest.

    Raises:
        DamagedArtifact: a file is of another kind than an adapter's.
    """
    listed = {name: _describe(folder / name) for name in _files_of(folder)}
    _check_kinds(listed, folder.name)
    (folder / MANIFEST).write_bytes(orjson.dumps({"files": listed}, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2))
    return _sealed(folder, listed)


def verify(folder: Path, sha256: str | None = None) -> Sealed:
    """The folder's seal, if every file is as its manifest says and, where given, the manifest has this digest.

    Raises:
        DamagedArtifact: a file is missing, altered, unlisted or of another kind than an adapter's, or the manifest is
            not the one announced.
    """
    if not (folder / MANIFEST).is_file():
        raise DamagedArtifact(f"{folder} has no {MANIFEST}; it is no complete adapter folder")
    digest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    if sha256 is not None and digest != sha256:
        raise DamagedArtifact(f"{folder.name}: {MANIFEST} has sha256 {digest}, announced was {sha256}; fetch it again")
    listed = read_manifest((folder / MANIFEST).read_bytes(), folder.name)
    present = set(_files_of(folder))
    if missing := sorted(listed.keys() - present):
        raise DamagedArtifact(f"{folder.name} lacks {', '.join(missing)}; fetch it again")
    if odd := sorted(present - listed.keys()):
        raise DamagedArtifact(f"{folder.name} holds {', '.join(odd)}, which the manifest does not list")
    for name, described in listed.items():
        if (actual := _describe(folder / name)) != described:
            raise DamagedArtifact(f"{folder.name}: {name} is {actual}, not what the manifest says: {described}")
    return _sealed(folder, listed)


def read_manifest(data: bytes, name: str) -> dict[str, dict[str, object]]:
    """The files that a manifest lists, by relative path.

    Raises:
        DamagedArtifact: no manifest of ours, one that reaches outside its folder, or one with files of other kinds.
    """
    try:
        listed = orjson.loads(data)["files"]
        outside = [path for path in listed if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise DamagedArtifact(f"{name}: {MANIFEST} cannot be read: {error!r}") from error
    if outside or not isinstance(listed, dict):
        raise DamagedArtifact(f"{name}: {MANIFEST} lists {outside or listed!r:.80}; a folder holds its own files only")
    _check_kinds(listed, name)
    return listed


def _check_kinds(listed: Iterable[str], name: str) -> None:
    if other := sorted(path for path in listed if PurePosixPath(path).suffix not in KINDS):
        raise DamagedArtifact(f"{name} holds {', '.join(other)}; an adapter has {', '.join(sorted(KINDS))} files only")


def _files_of(folder: Path) -> list[str]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return sorted(name for path in paths if (name := path.relative_to(folder).as_posix()) != MANIFEST)


def _describe(path: Path) -> dict[str, object]:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return {"sha256": digest.hexdigest(), "bytes": path.stat().st_size}


def _sealed(folder: Path, listed: dict[str, dict[str, object]]) -> Sealed:
    manifest = (folder / MANIFEST).read_bytes()
    size = len(manifest) + sum((folder / name).stat().st_size for name in listed)
    return Sealed(hashlib.sha256(manifest).hexdigest(), size, (*listed, MANIFEST))
