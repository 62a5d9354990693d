"""What a run may choose from: sides that share nobody and no words, calibration where it can certify anything."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import orjson

from tests.trainers.made import LOOP
from trainers.calibrate import COVERAGES, upper_bound
from trainers.items import Item
from trainers.pool import LEAST_TO_CALIBRATE, Pool, read_pool
from trainers.tracks import Track


def _line(split: str, number: int, **changes: object) -> bytes:
    own = {"text": f"{split} words {'x' * number}", "customer_id": f"{split}-{number}", "id": f"{split}-{number}"}
    return orjson.dumps({"task": "intent", "label_set": "shop", "target": "refund", "split": split, **own, **changes})


def _read(folder: Path, lines: Iterable[bytes], track: Track = LOOP) -> Pool:
    file = folder / "shop.jsonl"
    file.write_bytes(b"\n".join(lines))
    return read_pool(file, track)


def _ids(items: Iterable[Item]) -> set[str]:
    return {item.id for item in items}


def test_development_knows_nothing_of_the_benchmark(tmp_path: Path) -> None:
    """An item of a benchmark customer, or with its words, does not stop the training either; both are counted."""
    lines = [_line("train", 1), _line("benchmark", 1), _line("development", 1)]
    lines += [_line("development", 2, customer_id="benchmark-1"), _line("development", 3, text="Benchmark words X")]
    pool = _read(tmp_path, lines)
    assert _ids(pool.development) == {"development-1"}
    assert pool.query["held_out"]["left_out"] == {"customer_in_benchmark": 1, "text_in_benchmark": 1}


def test_half_of_development_calibrates(tmp_path: Path) -> None:
    """Customers stand on one side; together the sides are all of development."""
    lines = [_line("development", n, customer_id=f"customer-{n // 2}") for n in range(4 * LEAST_TO_CALIBRATE)]
    pool = _read(tmp_path, lines)
    assert len(pool.calibration) >= LEAST_TO_CALIBRATE
    assert len(pool.development) + len(pool.calibration) == len(lines)
    people = [{item.customer for item in side} for side in (pool.development, pool.calibration)]
    assert people[0].isdisjoint(people[1])


def test_calibration_shares_no_words_with_development(tmp_path: Path) -> None:
    """What chose the epoch does not certify, whoever said it; what is left out is counted."""
    own = [_line("development", n) for n in range(4 * LEAST_TO_CALIBRATE)]
    said = [_line("development", n, id=f"again-{n}", customer_id=f"other-{n}") for n in range(4 * LEAST_TO_CALIBRATE)]
    pool = _read(tmp_path, own + said)
    texts = [{item.text for item in side} for side in (pool.development, pool.calibration)]
    assert len(pool.calibration) >= LEAST_TO_CALIBRATE
    assert texts[0].isdisjoint(texts[1])
    left_out = pool.query["held_out"]["left_out"]["text_in_development"]
    assert left_out == len(own) + len(said) - len(pool.development) - len(pool.calibration) > 0


def test_too_few_items_to_certify_all_steer(tmp_path: Path) -> None:
    """Where no certificate is possible, or none is made (a loss), nothing is taken from development."""
    few = [_line("development", n) for n in range(LEAST_TO_CALIBRATE)]
    assert (len(_read(tmp_path, few).development), _read(tmp_path, few).calibration) == (LEAST_TO_CALIBRATE, ())
    many = [_line("development", n) for n in range(4 * LEAST_TO_CALIBRATE)]
    assert _read(tmp_path, many, replace(LOOP, metric="token_loss")).calibration == ()


def test_the_least_is_what_the_bound_asks_for() -> None:
    """So many right answers in a row certify 5 %, one fewer do not."""
    share = 0.05 / len(COVERAGES)
    assert upper_bound(0, LEAST_TO_CALIBRATE, share) <= 0.05 < upper_bound(0, LEAST_TO_CALIBRATE - 1, share)
