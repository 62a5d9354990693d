"""`still simulate` as a user meets it: files that equal seeds repeat, a summary, and one-line errors."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from schemas.codec import decode_json
from schemas.records import ConversationEvent
from still.__main__ import main

FIXED = ["--start", "2026-05-04", "--seed", "5"]


def test_equal_seed_and_start_write_equal_files(tmp_path: Path) -> None:
    """Two runs with the same seed and start write the same bytes, and every line is an event the edge takes."""
    for name in ("a", "b"):
        assert main(["simulate", "-n", "20", "--languages", "en,de", "--out", str(tmp_path / name), *FIXED]) == 0
    written = (tmp_path / "a").read_bytes()
    assert written == (tmp_path / "b").read_bytes()
    assert len({decode_json(line, ConversationEvent).conversation_id for line in written.splitlines()}) == 20


def test_whole_writes_one_event_for_a_contact(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--whole gives as many lines as contacts, and --json says how many."""
    out = tmp_path / "events.jsonl"
    assert main(["simulate", "-n", "7", "--whole", "--out", str(out), "--json", *FIXED]) == 0
    assert len(out.read_text().splitlines()) == 7
    assert orjson.loads(capsys.readouterr().out) == {"events": 7}


def test_benchmark_writes_labelled_lines_to_the_output(capsys: pytest.CaptureFixture[str]) -> None:
    """--benchmark - prints labelled data lines and nothing else on the output."""
    assert main(["simulate", "-n", "10", "--benchmark", "-", *FIXED]) == 0
    lines = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["task"] for line in lines} == {"intent", "entities", "response", "tools", "safety"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--languages", "xx", "--out", "-"], "'xx'"),
        (["-n", "-1", "--out", "-"], "conversations=-1"),
        (["--out", "/nowhere/at/all.jsonl"], "/nowhere/at/all.jsonl"),
        (["--out", "-", "--benchmark", "-"], "--benchmark"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A user's mistake is one line that quotes the value, with exit status 2."""
    assert main(["simulate", *arguments]) == 2
    shown = capsys.readouterr().err.strip()
    assert shown.startswith("error: ")
    assert said in shown


def test_no_broker_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a broker the command says where it looked and how to start one."""
    monkeypatch.setenv("STILL_BOOTSTRAP_SERVERS", "127.0.0.1:9")
    monkeypatch.setenv("STILL_FOLDER", str(tmp_path))
    assert main(["simulate", "-n", "3"]) == 2
    assert "still up" in capsys.readouterr().err
