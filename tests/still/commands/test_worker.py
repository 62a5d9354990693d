"""`still worker` refuses to start on a user's mistake, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from still.__main__ import main
from still.embedded.stack import Stack


def test_an_unknown_stage_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The line quotes the stage and lists those that exist; exit status 2."""
    monkeypatch.setenv("STILL_FOLDER", str(tmp_path))
    assert main(["worker", "--stages", "asemble"]) == 2
    assert "error: stage 'asemble' is unknown; the worker knows assemble, distill" in capfd.readouterr().err


def test_a_key_that_protects_nothing_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without a proper customer key nothing may be redacted, so nothing starts."""
    monkeypatch.setenv("STILL_FOLDER", str(tmp_path))
    monkeypatch.setenv("STILL_CUSTOMER_KEY", "short")
    assert main(["worker"]) == 2
    assert "the customer key has 5 bytes" in capfd.readouterr().err


def test_missing_topics_name_the_command_that_makes_them(
    stack: Stack, topic_prefix: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A worker makes no topics: it says who does."""
    monkeypatch.setenv("STILL_FOLDER", str(tmp_path))
    monkeypatch.setenv("STILL_BOOTSTRAP_SERVERS", stack.bootstrap_servers)
    monkeypatch.setenv("STILL_TOPIC_PREFIX", topic_prefix)
    assert main(["worker"]) == 2
    assert "run `still init` first" in capfd.readouterr().err
