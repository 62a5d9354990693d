"""The baseline that an adapter must beat on the same batch: the frozen base with as little learning as possible.

`classify` and `tag`: logistic regression on frozen features (Alain & Bengio 2016), put into the head's own linear
layer, so that probe and adapter are measured by the same code. `generate`: the untrained base itself.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from trainers.bases.load import Base, Bases
from trainers.errors import NothingToLearn
from trainers.heads import HEADS, Head
from trainers.items import Item, choose
from trainers.padding import batches
from trainers.predict import BATCH, AdapterPredictor
from trainers.tracks import Track

Features = NDArray[np.float32]
Floats = NDArray[np.float64]
Bits = NDArray[np.bool_]

INVERSE_PENALTY = 1.0
SOFT_PENALTY = 0.1
"""The head that training starts from leaves the adapter something to learn; one as close as the probe leaves nothing
(BANKING77, all rows: 0.922 from the soft start, 0.911 from the probe's own)."""
ITERATIONS = 200
MOST_ROWS = 20_000
NEVER = -20.0
"""Bias of an output that no training row shows: as good as impossible, yet finite."""


def train_probe(track: Track, items: Sequence[Item], bases: Bases) -> AdapterPredictor:
    """The probe on these items; deterministic.

    Raises:
        NothingToLearn: no item, or nothing to tell apart.
    """
    return fit_heads(track, items, bases, (INVERSE_PENALTY,))[0]


def fit_heads(
    track: Track, items: Sequence[Item], bases: Bases, penalties: Sequence[float]
) -> tuple[AdapterPredictor, ...]:
    """A probe for each inverse penalty, from frozen features that are computed once.

    Raises:
        NothingToLearn: no item, or nothing to tell apart.
    """
    base, chosen = bases.of(track), choose(items, track.max_items, track.seed)
    heads = [HEADS[track.head].for_items(base, track, chosen) for _ in penalties]
    if track.head != "generate":
        given = features(base, heads[0], chosen)
        for head, penalty in zip(heads, penalties, strict=True):
            fit(head, *given, penalty)
    return tuple(AdapterPredictor(base, track, head, None) for head in heads)


def features(base: Base, head: Head, items: Sequence[Item]) -> tuple[Features, NDArray[np.float32]]:
    """Frozen features [rows, hidden] and wanted outputs [rows, outputs] of all items that the head can express."""
    inputs, wanted = [], []
    with base.adapters.active(None) as model, torch.inference_mode():
        for batch in batches(head.rows(items, targets=True), BATCH, base.padding):
            given, outputs = head.examples(model, batch)
            inputs.append(given.cpu().numpy())
            wanted.append(outputs.cpu().numpy())
    if not inputs:
        raise NothingToLearn(f"none of {len(items)} items has text to learn from")
    rows = np.concatenate(inputs), np.concatenate(wanted)
    drawn = np.sort(np.random.default_rng(0).permutation(len(rows[0]))[:MOST_ROWS])
    return rows[0][drawn], rows[1][drawn]


def fit(head: Head, inputs: Features, wanted: NDArray[np.float32], inverse_penalty: float = INVERSE_PENALTY) -> None:
    """Sets the head's linear layer to the logistic regression from inputs to wanted outputs."""
    outputs = wanted.shape[1]
    weight, bias = np.zeros((outputs, inputs.shape[1])), np.full(outputs, NEVER)
    model = LogisticRegression(C=inverse_penalty, max_iter=ITERATIONS, tol=1e-3)
    if head.multi_label:
        for place in range(outputs):
            _fit_binary(model, inputs, wanted[:, place] > 0, weight[place], bias[place : place + 1])
    else:
        _fit_classes(model, inputs, wanted.argmax(axis=1), weight, bias)
    state = {"weight": torch.tensor(weight, dtype=torch.float32), "bias": torch.tensor(bias, dtype=torch.float32)}
    head.module.load_state_dict(state)


def _fit_binary(model: LogisticRegression, inputs: Features, given: Bits, weight: Floats, bias: Floats) -> None:
    if given.all() or not given.any():
        bias[:] = -NEVER if given.all() else NEVER
        return
    _converge(model, inputs, given)
    weight[:], bias[:] = model.coef_[0], model.intercept_


def _fit_classes(
    model: LogisticRegression, inputs: Features, classes: NDArray[np.int64], weight: Floats, bias: Floats
) -> None:
    shown = np.unique(classes)
    if len(shown) == 1:
        bias[shown] = -NEVER
        return
    _converge(model, inputs, classes)
    coefficients, intercepts = model.coef_, model.intercept_
    if len(shown) == 2:  # sklearn gives one row: the second class against the first
        coefficients, intercepts = np.vstack([0 * coefficients, coefficients]), np.array([0.0, intercepts[0]])
    weight[shown], bias[shown] = coefficients, intercepts


def _converge(model: LogisticRegression, inputs: Features, classes: NDArray[np.generic]) -> None:
    with warnings.catch_warnings():
        # Stopping after ITERATIONS is part of the probe's definition, not an accident.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(inputs, classes)
