"""Metrics as sums over items."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import f1_score

from tests.trainers.made import item
from trainers.heads import Prediction
from trainers.metrics import (
    MEASURES,
    interval,
    is_right,
    per_item,
    recall_at_fpr,
    recall_interval,
    value_of,
    wilson,
)

LABELS = ("a", "b", "c")


@given(st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1, max_size=40))
def test_accuracy_and_macro_f1_agree_with_sklearn(pairs: list[tuple[str, str]]) -> None:
    """Our sums give the textbook values."""
    items = [item("intent", "x", gold, number=n) for n, (gold, _) in enumerate(pairs)]
    said = [Prediction(i.id, label, 0.9) for i, (_, label) in zip(items, pairs, strict=True)]
    gold, answers = zip(*pairs, strict=True)
    shown = sorted(set(gold))
    expected = f1_score(gold, answers, labels=shown, average="macro", zero_division=0)
    assert value_of("macro_f1", per_item("macro_f1", items, said)) == pytest.approx(expected)
    accuracy = sum(g == a for g, a in pairs) / len(pairs)
    assert value_of("accuracy", per_item("accuracy", items, said)) == pytest.approx(accuracy)


def test_span_f1_counts_exact_spans_only() -> None:
    """A span that is one character off is wrong twice: said and missed."""
    gold = [{"start": 0, "end": 4, "label": "day"}, {"start": 5, "end": 9, "label": "day"}]
    said = [{"start": 0, "end": 4, "label": "day"}, {"start": 5, "end": 8, "label": "day"}]
    counts = per_item("span_f1", [item("entities", "some text", gold)], [Prediction("x", said, 0.9)])
    assert counts.tolist() == [[1, 2, 2]]
    assert value_of("span_f1", counts) == 0.5


def test_nothing_to_find_and_nothing_found_is_not_measurable() -> None:
    """Unknown is None, never 0 or 1."""
    counts = per_item("span_f1", [item("entities", "text", [])], [Prediction("x", [], 0.9)])
    assert value_of("span_f1", counts) is None
    assert interval("span_f1", counts, ["c"]) is None


def test_an_unanswered_item_is_wrong_even_where_none_is_right() -> None:
    """No answer is not the answer `no tool`."""
    none = item("tools", "text", None)
    assert is_right(none, Prediction("x", None, 0.8))
    assert not is_right(none, Prediction("x", None, None))


def test_tool_names_count_but_arguments_do_not() -> None:
    """tool_name_accuracy says what it scores; tool_call_accuracy scores the whole call."""
    gold = item("tools", "text", {"name": "find", "arguments": {"id": 1}})
    said = Prediction("x", {"name": "find", "arguments": None}, 0.8)
    assert value_of("tool_name_accuracy", per_item("tool_name_accuracy", [gold], [said])) == 1
    assert value_of("tool_call_accuracy", per_item("tool_call_accuracy", [gold], [said])) == 0


def test_token_loss_weighs_tokens_not_items() -> None:
    """A long answer counts as many tokens as it has; an item without loss is nan, not 0."""
    items = [item("response", "x", "y", number=n) for n in range(3)]
    said = [Prediction("0", None, None, 1.0, 1), Prediction("1", None, None, 3.0, 3), Prediction("2", None, None)]
    counts = per_item("token_loss", items, said)
    assert value_of("token_loss", counts[:2]) == pytest.approx(2.5)
    assert np.isnan(counts[2]).all()


def test_clustered_intervals_are_wider() -> None:
    """Ten copies of each conversation's item bring no new evidence."""
    rng = np.random.default_rng(0)
    right = np.repeat(rng.integers(0, 2, 40), 10).astype(float)
    counts = np.stack([right, np.ones_like(right)], axis=1)
    alone = interval("accuracy", counts, [str(n) for n in range(400)])
    together = interval("accuracy", counts, [str(n // 10) for n in range(400)])
    assert alone is not None
    assert together is not None
    assert together[1] - together[0] > 2 * (alone[1] - alone[0])


@given(st.integers(0, 50), st.integers(1, 50))
def test_intervals_of_proportions(right: int, n: int) -> None:
    """Wilson holds the proportion, and agrees with scipy."""
    right = min(right, n)
    low, high = wilson(right, n)
    assert low - 1e-12 <= right / n <= high + 1e-12
    theirs = binomtest(right, n).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_recall_at_a_false_positive_rate() -> None:
    """The threshold lets through no more negatives than allowed; without one side there is no figure."""
    scores = np.array([0.9, 0.6, 0.5, 0.4, 0.1])
    positive = np.array([True, True, False, True, False])
    assert recall_at_fpr(scores, positive, 0.0) == (2, 3)
    assert recall_at_fpr(scores, positive, 0.5) == (3, 3)
    assert recall_at_fpr(scores, positive, 1.0) == (3, 3)
    assert recall_at_fpr(scores, np.zeros(5, dtype=bool), 0.05) is None
    assert recall_at_fpr(scores, np.ones(5, dtype=bool), 0.05) is None
    assert recall_interval(scores, np.ones(5, dtype=bool), 0.05, list("abcde")) is None


def test_only_the_loss_is_better_when_lower() -> None:
    """A gate reads the direction from the measure."""
    assert [name for name, measure in MEASURES.items() if not measure.higher_is_better] == ["token_loss"]
