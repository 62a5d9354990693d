"""`still worker` refuses to start on a user's mistake, in one line."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from still.__main__ import main
from still.commands.worker import instance_of
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


def test_a_worker_without_a_name_has_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two folders, or two hosts, are two members; a restart is the same one, however its folder is written."""
    monkeypatch.chdir(tmp_path)
    assert instance_of(Path(".still")) == instance_of(tmp_path / ".still") != instance_of(tmp_path / "other")
    assert re.fullmatch(re.escape(socket.gethostname()) + "-[0-9a-f]{6}", instance_of(tmp_path))
    here = instance_of(tmp_path)
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    assert instance_of(tmp_path) != here


def test_missing_topics_name_the_command_that_makes_them(
    stack: Stack, topic_prefix: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A worker makes no topics: it says who does."""
    monkeypatch.setenv("STILL_FOLDER", str(tmp_path))
    monkeypatch.setenv("STILL_BOOTSTRAP_SERVERS", stack.bootstrap_servers)
    monkeypatch.setenv("STILL_TOPIC_PREFIX", topic_prefix)
    assert main(["worker"]) == 2
    assert "run `still init` first" in capfd.readouterr().err
