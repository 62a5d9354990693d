"""When to trust an adapter's answer: the largest coverage whose error is certified, by risk control, not by eye.

Declared coverage points, an exact binomial bound for each (Clopper-Pearson 1934), Bonferroni over them
(Learn-then-Test, Angelopoulos et al. 2021). Calibrate on items that neither trained the adapter, chose its epoch or its
batch, nor judge it. The bound takes items as independent and traffic as what they show: audit it where it serves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from schemas.records import Routing
from trainers.evaluate import Evaluation, wrong

COVERAGES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.5, 0.4, 0.3)
"""Declared before any data is seen, from the most wanted down."""


def certify(
    confidence: NDArray[np.float64], correct: NDArray[np.bool_], *, alpha: float = 0.05, delta: float = 0.05
) -> Routing:
    """The threshold with the largest coverage whose error stays below `alpha` with probability 1 - `delta`.

    Args:
        confidence: shape (n,), higher is surer.
        correct: shape (n,), whether the answer was right.
        alpha: error promised among the answered, 0 to 1.
        delta: chance that the promise is broken.

    Returns:
        Routing with threshold and coverage None where no declared coverage can be certified. Temperature is 1: the
        threshold is on the confidence as it is.

    Raises:
        ValueError: shapes differ.
    """
    if confidence.shape != correct.shape:
        raise ValueError(f"confidence has shape {confidence.shape}, correct {correct.shape}; they must be equal")
    surest = np.sort(confidence)[::-1]
    for wanted in (int(np.floor(coverage * len(surest))) for coverage in COVERAGES):
        if not wanted:
            break
        # Equal confidences lie on one side of any threshold, so what is judged is all that it would let through.
        answered = confidence >= surest[wanted - 1]
        n, errors = int(answered.sum()), int((answered & ~correct).sum())
        if upper_bound(errors, n, delta / len(COVERAGES)) <= alpha:
            return Routing(1.0, float(surest[wanted - 1]), alpha, delta, n / len(surest))
    return Routing(1.0, None, alpha, delta, None)


def routing_of(evaluation: Evaluation) -> Routing | None:
    """The routing that calibration items certify; None where answers are not right or wrong, as for a loss."""
    if evaluation.metric == "token_loss":
        return None
    surety = {answer.item_id: answer.confidence for answer in evaluation.predictions}
    confidence = np.array([surety[item_id] or 0.0 for item_id in evaluation.item_ids], dtype=np.float64)
    return certify(confidence, ~wrong(evaluation.metric, evaluation.per_item))


def upper_bound(errors: int, n: int, delta: float) -> float:
    """One-sided Clopper-Pearson upper bound of an error rate at confidence 1 - `delta`."""
    return 1.0 if errors >= n else float(beta.ppf(1 - delta, errors + 1, n - errors))
