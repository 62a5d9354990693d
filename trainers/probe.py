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
ITERATIONS = 200
MOST_ROWS = 20_000
NEVER = -20.0
"""Bias of an output that no training row shows: as good as impossible, yet finite."""


def train_probe(track: Track, items: Sequence[Item], bases: Bases) -> AdapterPredictor:
    """The probe on these items; deterministic.

    Raises:
        NothingToLearn: no item, or nothing to tell apart.
    """
    base = bases.of(track)
    return AdapterPredictor(base, track, probe_head(base, track, choose(items, track.max_items, track.seed)), None)


def probe_head(base: Base, track: Track, items: Sequence[Item]) -> Head:
    """A head for the items' label space, its linear layer (if it has one) fitted on the frozen base."""
    head = HEADS[track.head].for_items(base, track, items)
    if track.head != "generate":
        fit(head, *features(base, head, items))
    return head


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


def fit(head: Head, inputs: Features, wanted: NDArray[np.float32]) -> None:
    """Sets the head's linear layer to the logistic regression from inputs to wanted outputs."""
    outputs = wanted.shape[1]
    weight, bias = np.zeros((outputs, inputs.shape[1])), np.full(outputs, NEVER)
    if head.multi_label:
        for place in range(outputs):
            _fit_binary(inputs, wanted[:, place] > 0, weight[place], bias[place : place + 1])
    else:
        _fit_classes(inputs, wanted.argmax(axis=1), weight, bias)
    state = {"weight": torch.tensor(weight, dtype=torch.float32), "bias": torch.tensor(bias, dtype=torch.float32)}
    head.module.load_state_dict(state)


def _fit_binary(inputs: Features, given: Bits, weight: Floats, bias: Floats) -> None:
    if given.all() or not given.any():
        bias[:] = -NEVER if given.all() else NEVER
        return
    model = _regression(inputs, given)
    weight[:], bias[:] = model.coef_[0], model.intercept_


def _fit_classes(inputs: Features, classes: NDArray[np.int64], weight: Floats, bias: Floats) -> None:
    shown = np.unique(classes)
    if len(shown) == 1:
        bias[shown] = -NEVER
        return
    model = _regression(inputs, classes)
    coefficients, intercepts = model.coef_, model.intercept_
    if len(shown) == 2:  # sklearn gives one row: the second class against the first
        coefficients, intercepts = np.vstack([0 * coefficients, coefficients]), np.array([0.0, intercepts[0]])
    weight[shown], bias[shown] = coefficients, intercepts


def _regression(inputs: Features, classes: NDArray[np.generic]) -> LogisticRegression:
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=ITERATIONS, tol=1e-3)
    with warnings.catch_warnings():
        # Stopping after ITERATIONS is part of the probe's definition, not an accident.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(inputs, classes)
