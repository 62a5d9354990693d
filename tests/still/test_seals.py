"""Sealing over the real ClickHouse: listed, refused where it leaks, never changed."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import structlog

from still import wiring
from still.__main__ import main
from still.embedded.stack import Stack
from still.settings import load
from still.setup import prepare


@pytest.fixture(autouse=True)
def _environment(
    stack: Stack, topic_prefix: str, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Tables in a database of this test, a registry in its folder."""
    monkeypatch.setenv("STILL_BOOTSTRAP_SERVERS", stack.bootstrap_servers)
    monkeypatch.setenv("STILL_CLICKHOUSE_URL", stack.clickhouse_url)
    monkeypatch.setenv("STILL_TOPIC_PREFIX", topic_prefix)
    monkeypatch.setenv("STILL_DATABASE", database)
    monkeypatch.setenv("STILL_FOLDER", str(tmp_path / "folder"))
    prepare(load())
    # Rows of these tests come from no sink, so no lease covers them.
    wiring.clickhouse(load()).command(f"ALTER TABLE {database}.examples DROP CONSTRAINT fence")
    yield
    structlog.reset_defaults()  # a command leaves logs bound to the captured standard error


def _insert(example_id: str, split: str, customer: str) -> None:
    client = wiring.clickhouse(load())
    row = {
        "example_id": f"'{example_id}'",
        "conversation_id": f"'{example_id}'",
        "revision": "1",
        "task": "'intent'",
        "label_set": "'cards'",
        "input": "'[]'",
        "text_hash": f"'hash-{example_id}'",
        "customer_hash": f"'{customer}'",
        "split": f"'{split}'",
        "admitted": "true",
        "_ingested_at": "now64(6)",
    }
    client.command(f"INSERT INTO {client.database}.examples ({', '.join(row)}) SELECT {', '.join(row.values())}")


def test_a_benchmark_is_listed_and_sealed_once(capsys: pytest.CaptureFixture[str]) -> None:
    """The seal names its items; again it is the same; with another item it is refused."""
    _insert("b1", "benchmark", "c-1")
    assert main(["benchmark", "seal", "v1", "--label-set", "cards", "--json"]) == 0
    sealed = orjson.loads(capsys.readouterr().out)
    assert sealed["items"] == 1
    assert main(["benchmark", "seal", "v1", "--label-set", "cards"]) == 0
    capsys.readouterr()
    assert main(["benchmark", "list", "--json"]) == 0
    listed = orjson.loads(capsys.readouterr().out)
    assert [(row["label_set"], int(row["items"])) for row in listed["items"]] == [("cards", 1)]
    assert [one["sha256"] for one in listed["sealed"]] == [sealed["sha256"]]
    _insert("b2", "benchmark", "c-2")
    assert main(["benchmark", "seal", "v1", "--label-set", "cards"]) == 2
    assert "seal under a new name" in capsys.readouterr().err


def test_a_benchmark_that_shares_customers_with_training_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """With the count and an example."""
    _insert("b1", "benchmark", "c-1")
    _insert("t1", "train", "c-1")
    assert main(["benchmark", "seal", "v1", "--label-set", "cards"]) == 2
    assert "1 customers are also in training data (c-1 in training example t1)" in capsys.readouterr().err


def test_a_bad_name_and_an_unknown_set_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    """One line each."""
    assert main(["benchmark", "seal", "nothing"]) == 2
    assert "label set 'nothing' has no benchmark items" in capsys.readouterr().err
    _insert("b1", "benchmark", "c-1")
    assert main(["benchmark", "seal", "../up", "--label-set", "cards"]) == 2
    assert "benchmark name '../up'" in capsys.readouterr().err
