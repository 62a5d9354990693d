"""What Apache Kafka needs is named before anything is started."""

import sys
from pathlib import Path

import pytest

from still.embedded.apache.jars import fetched_jars, java
from still.embedded.errors import MissingPartError


def _maven(folder: Path, code: str) -> Path:
    """A program of that name which does something else than Maven."""
    program = folder / "mvn"
    program.write_text(f"#!{sys.executable}\n{code}\n", encoding="utf-8")
    program.chmod(0o755)
    return program


def test_missing_java_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error names the tool, a package that brings it, and the way without."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingPartError, match=r"no 'java' on the PATH; .*openjdk-17.*; or use the default broker"):
        java()


def test_maven_is_needed_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without jars a missing Maven is named; what a first call fetched serves every later one."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(MissingPartError, match="no 'mvn' on the PATH"):
        fetched_jars()
    maven = _maven(tmp_path, "import os, sys; os.makedirs(sys.argv[-1].removeprefix('-DoutputDirectory='))")
    jars = fetched_jars()
    assert jars.is_dir()
    maven.unlink()
    assert fetched_jars() == jars


def test_failed_fetch_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error quotes Maven's first line; a later call tries again instead of trusting half a folder."""
    _maven(tmp_path, "import sys; print('[ERROR] no route to the repository'); sys.exit(1)")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for _ in range(2):
        with pytest.raises(MissingPartError, match=r"could not fetch Apache Kafka: .*no route to the repository"):
            fetched_jars()
    assert not list((tmp_path / "cache" / "stillstream").iterdir())
