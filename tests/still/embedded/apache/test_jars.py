"""What Apache Kafka needs is named before anything is started."""

import sys
from pathlib import Path

import pytest

from still.embedded.apache.jars import fetched_jars, java
from still.embedded.errors import MissingPartError


def _program(folder: Path, name: str, code: str) -> Path:
    """A program of that name which does something else."""
    program = folder / name
    program.write_text(f"#!{sys.executable}\n{code}\n", encoding="utf-8")
    program.chmod(0o755)
    return program


def test_missing_java_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error names the tool, a package that brings it, and the way without."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingPartError, match=r"no 'java' on the PATH; .*openjdk-17.*; or use the default broker"):
        java()


_VERSIONS = [("1.8.0_402", False), ("11.0.2", False), ("17.0.15", True), ("25", True)]


@pytest.mark.parametrize(("version", "is_enough"), _VERSIONS)
def test_old_java_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, *, is_enough: bool) -> None:
    """Kafka 4 needs Java 17; an older one would only say that it does not know a class file's version."""
    said = f'openjdk version "{version}" 2025-01-01'
    program = _program(tmp_path, "java", f"import sys; sys.stderr.write({said!r})")
    monkeypatch.setenv("PATH", str(tmp_path))
    if is_enough:
        assert java() == str(program)
    else:
        with pytest.raises(MissingPartError, match=rf"says '{said}'; Apache Kafka needs Java 17"):
            java()


def test_maven_is_needed_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without jars a missing Maven is named; what a first call fetched serves every later one."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(MissingPartError, match="no 'mvn' on the PATH"):
        fetched_jars()
    maven = _program(tmp_path, "mvn", "import os, sys; os.makedirs(sys.argv[-1].removeprefix('-DoutputDirectory='))")
    jars = fetched_jars()
    assert jars.is_dir()
    maven.unlink()
    assert fetched_jars() == jars


def test_failed_fetch_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error quotes Maven's first line; a later call tries again instead of trusting half a folder."""
    _program(tmp_path, "mvn", "import sys; print('[ERROR] no route to the repository'); sys.exit(1)")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for _ in range(2):
        with pytest.raises(MissingPartError, match=r"could not fetch Apache Kafka: .*no route to the repository"):
            fetched_jars()
    assert not list((tmp_path / "cache" / "stillstream").iterdir())
