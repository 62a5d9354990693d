"""Files that are trained on directly: the same sides as an import of them, and nothing of the store's benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from structlog.testing import capture_logs

from schemas.labelled import labelled_of
from still.settings import Settings
from still.training import as_stored, pool_of
from streams.labelled import LabelledSettings, example_of
from streams.settings import RedactSettings
from tests.trainers.made import LOOP
from trainers.batches import Policy
from trainers.compose import compose
from trainers.items import Item, item_of, items_of_file
from trainers.pool import read_pool

KEY = "k" * 32
AWAY = Settings(clickhouse_url="http://127.0.0.1:9", customer_key=SecretStr(KEY))
IMPORT = LabelledSettings(RedactSettings(KEY.encode()), partitions=4)


def _messages(texts: list[str]) -> list[dict[str, Any]]:
    said = [{"role": "user", "content": text} for text in texts[:-1]]
    return [*said, {"role": "user", "content": [{"type": "text", "text": part} for part in texts[-1].split(" ")]}]


_LINES = st.fixed_dictionaries(
    {"messages": st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=3).map(_messages)},
    optional={
        "customer_id": st.text(max_size=9),
        "conversation_id": st.text(min_size=1, max_size=9),
        "split": st.sampled_from(["train", "development", "benchmark"]),
    },
)


def _imported(line: dict[str, Any], settings: LabelledSettings = IMPORT) -> Item:
    return item_of(example_of(labelled_of(line, "shop"), "f" * 64, 1, settings), LOOP)


def _line(**own: Any) -> dict[str, Any]:
    return {"task": "intent", "label_set": "shop", "target": "refund", **own}


def _write(folder: Path, *lines: dict[str, Any]) -> Path:
    file = folder / "shop.jsonl"
    file.write_bytes(b"\n".join(map(orjson.dumps, lines)))
    return file


@given(lines=st.lists(_LINES, min_size=1, max_size=8))
def test_a_line_stands_on_one_side_whichever_way_it_comes_in(
    tmp_path_factory: pytest.TempPathFactory, lines: list[dict[str, Any]]
) -> None:
    """Imported into the store or trained on directly: same side, same customer, same words."""
    whole = [_line(**line) for line in lines]
    items = items_of_file(_write(tmp_path_factory.mktemp("file"), *whole), LOOP, as_stored(AWAY))
    there = [_imported(line) for line in whole]
    assert [item.split for item in items] == [item.split for item in there]
    assert [(item.customer, item.stored_hash) for item in items] == [(item.customer, item.text_hash) for item in there]


def test_many_texts_land_on_all_sides_alike(tmp_path: Path) -> None:
    """A tenth each for development and benchmark, and the same ones in both ways."""
    lines = [_line(text=f"words {'x' * number}") for number in range(400)]
    sides = [item.split for item in items_of_file(_write(tmp_path, *lines), LOOP, as_stored(AWAY))]
    assert sides == [_imported(line).split for line in lines]
    assert 20 < sides.count("benchmark") < 60
    assert 20 < sides.count("development") < 60


def test_the_benchmark_of_the_store_is_not_trained_on(tmp_path: Path) -> None:
    """By words that redaction changed in the store, and by customers that are hashed there."""
    lines = [
        _line(text="I am Maria Lopez, maria.lopez@example.org, where is it?", split="train", id="words"),
        _line(text="other words", customer_id="mia", split="train", id="customer"),
        _line(text="nobody knows these", customer_id="bo", split="train", id="free"),
        _line(text="something else", split="development", id="steers"),
    ]
    benchmark = LabelledSettings(IMPORT.redact, 4, split="benchmark")
    reserved = [_imported(lines[0], benchmark), _imported({**lines[1], "text": "said before"}, benchmark)]
    assert reserved[0].text != lines[0]["text"]
    pool = read_pool(_write(tmp_path, *lines), LOOP, as_stored(AWAY), reserved)
    batch = compose(pool, Policy(task="intent", label_set="shop", max_items=9, replay_share=0.0, seed=1))
    assert [item.id for item in batch.items] == ["free"]
    assert batch.left_out == {"customer_in_store_benchmark": 1, "text_in_store_benchmark": 1}


def test_without_a_stack_the_pool_says_that_nothing_was_checked(tmp_path: Path) -> None:
    """It is still a pool; the manifest and a warning say what it does not know."""
    file = _write(tmp_path, *(_line(text=f"words {'x' * number}") for number in range(30)))
    with capture_logs() as logs:
        pool = pool_of(file, Path("mine.jsonl"), LOOP, AWAY)
    assert len(pool.fresh) > 0
    assert pool.query["benchmark_of_store"].startswith("not checked: ")
    assert "127.0.0.1:9" in pool.query["benchmark_of_store"]
    assert [one["event"] for one in logs if one["log_level"] == "warning"] == ["benchmark_of_store_not_checked"]
