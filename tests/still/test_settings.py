"""Settings come from the environment, are refused early, and keep their secrets."""

from pathlib import Path

import pytest

from still.errors import UserError
from still.settings import load


def test_environment_sets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each field is `STILL_<NAME>`."""
    monkeypatch.setenv("STILL_BOOTSTRAP_SERVERS", "kafka:9092")
    monkeypatch.setenv("STILL_PARTITIONS", "16")
    settings = load(folder=tmp_path)
    assert (settings.bootstrap_servers, settings.partitions) == ("kafka:9092", 16)


@pytest.mark.parametrize(("name", "value"), [("PARTITIONS", "0"), ("THREADS", "-1"), ("DATABASE", "a b")])
def test_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str) -> None:
    """A wrong value is refused with the variable's name and the value."""
    monkeypatch.setenv(f"STILL_{name}", value)
    with pytest.raises(UserError, match=f"STILL_{name}='{value}'"):
        load(folder=tmp_path)


def test_customer_key_is_made_once(tmp_path: Path) -> None:
    """The embedded key is made at first use, stays, is private, and never shows."""
    settings = load(folder=tmp_path)
    assert settings.key() == load(folder=tmp_path).key()
    assert len(settings.key()) >= 32
    assert (tmp_path / "customer.key").stat().st_mode & 0o077 == 0


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither repr nor str shows a password or a key."""
    monkeypatch.setenv("STILL_CLICKHOUSE_PASSWORD", "hunter2")
    monkeypatch.setenv("STILL_CUSTOMER_KEY", "0123456789abcdef0123")
    settings = load(folder=tmp_path)
    assert "hunter2" not in f"{settings!r} {settings}"
    assert "0123456789abcdef" not in f"{settings!r} {settings}"
    assert settings.key() == b"0123456789abcdef0123"


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file where the folder should be is a clear mistake, not a traceback."""
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"STILL_FOLDER=.*cannot be used"):
        load(folder=tmp_path / "file").key()
