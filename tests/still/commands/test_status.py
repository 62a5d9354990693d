"""`still status` says what it knows, and why it does not know the rest."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from still.__main__ import main
from still.embedded.ports import choose_port


def test_what_cannot_be_known_is_null_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without broker and ClickHouse nothing is 0: each part is unknown, both reasons are told, the exit status is 2."""
    monkeypatch.setenv("STILL_FOLDER", str(tmp_path))
    monkeypatch.setenv("STILL_BOOTSTRAP_SERVERS", f"127.0.0.1:{choose_port(0)}")
    monkeypatch.setenv("STILL_CLICKHOUSE_URL", f"http://127.0.0.1:{choose_port(0)}")
    assert main(["status", "--json"]) == 2
    said = capsys.readouterr()
    found = orjson.loads(said.out)
    assert {name: found[name] for name in ("processes", "lag", "rows", "freshness", "dead_letters")} == dict.fromkeys(
        ("processes", "lag", "rows", "freshness", "dead_letters")
    )
    assert len(found["trouble"]) == 2
    assert all(why in said.err.replace("\n", " ") for why in found["trouble"])
