"""A certified threshold keeps its promise; nothing is certified without enough items."""

import numpy as np
import pytest

from trainers.calibrate import certify, upper_bound


def _items(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Confidences whose error falls from 30 % at the bottom to none at the top."""
    chance = np.random.default_rng(seed)
    confidence = chance.random(n)
    return confidence, chance.random(n) >= 0.3 * (1 - confidence)


def test_bound_is_the_textbook_value() -> None:
    """No error among 59 items certifies 5 % at 95 %, and not among 58."""
    assert upper_bound(0, 59, 0.05) <= 0.05 < upper_bound(0, 58, 0.05)


def test_few_items_certify_nothing() -> None:
    """Thirty right answers are no evidence of a 5 % error: unknown stays None."""
    routing = certify(np.linspace(0, 1, 30), np.ones(30, dtype=bool))
    assert routing.threshold is None
    assert routing.coverage is None


def test_promise_is_kept_on_fresh_items() -> None:
    """Over 100 calibrations the error on fresh answered items exceeds alpha in at most delta of them."""
    broken = 0
    for seed in range(100):
        routing = certify(*_items(4000, seed), alpha=0.1, delta=0.05)
        assert routing.threshold is not None
        confidence, correct = _items(20_000, 10_000 + seed)
        broken += float((~correct[confidence >= routing.threshold]).mean()) > 0.1
    assert broken <= 5


def test_better_answers_cover_more() -> None:
    """A student that is always right answers everything; coverage is what the threshold lets through."""
    confidence, correct = _items(2000, 1)
    some = certify(confidence, correct, alpha=0.1)
    assert some.coverage is not None
    assert some.coverage < 1.0 == certify(confidence, np.ones(2000, dtype=bool)).coverage
    assert float((confidence >= (some.threshold or 1)).mean()) == pytest.approx(some.coverage)


def test_equal_confidences_are_judged_together() -> None:
    """Where all are equally sure, no threshold parts right from wrong: nothing is certified at 40 % errors."""
    correct = np.arange(1000) < 600
    assert certify(np.ones(1000), correct).threshold is None
    half = np.where(np.arange(1000) < 500, 1.0, 0.5)
    routing = certify(half, np.arange(1000) < 500)
    assert (routing.threshold, routing.coverage) == (1.0, 0.5)


def test_shapes_must_agree() -> None:
    """A mix-up of arrays is named."""
    with pytest.raises(ValueError, match="must be equal"):
        certify(np.ones(3), np.ones(2, dtype=bool))
