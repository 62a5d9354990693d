"""Gates over arrays: three verdicts, and only evidence passes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trainers.made import INTENT, RESPONSE
from trainers.evaluate import Evaluation
from trainers.gates import judge, mcnemar
from trainers.metrics import Array, value_of
from trainers.tracks import Track

N = 400


def _evaluation(track: Track, per_item: Array, clusters: int | None = None) -> Evaluation:
    n = len(per_item)
    return Evaluation(
        metric=track.metric,
        value=value_of(track.metric, per_item),
        low=None,
        high=None,
        n=n,
        item_ids=tuple(str(place) for place in range(n)),
        per_item=per_item,
        clusters=tuple(str(place % (clusters or max(n, 1))) for place in range(n)),
        slices=[],
        predictions=[],
        samples=[],
        others=(),
        unmeasured=0,
        unknown_labels={},
        digest="d",
    )


def _right(share: float, n: int = N) -> Array:
    return np.stack([(np.arange(n) < share * n).astype(float), np.ones(n)], axis=1)


def test_clearly_better_passes() -> None:
    """80 % against 60 % of 400 items is no accident."""
    gate = judge(_evaluation(INTENT, _right(0.8)), _evaluation(INTENT, _right(0.6)), "probe", INTENT)
    assert (gate.verdict, gate.against, gate.test) == ("pass", "probe", "mcnemar_exact")
    assert gate.difference == pytest.approx(0.2)
    assert "n=400 in 400 conversations" in gate.reasons[1]
    assert "would go unseen" in gate.reasons[1]


def test_clearly_worse_fails() -> None:
    """The other way round is a failure."""
    gate = judge(_evaluation(INTENT, _right(0.6)), _evaluation(INTENT, _right(0.8)), "champion", INTENT)
    assert gate.verdict == "fail"
    assert "worse than champion" in gate.reasons[0]


def test_the_same_answers_fail_since_a_gain_is_excluded() -> None:
    """Nobody needs a new version that answers exactly as the old one."""
    same = _evaluation(INTENT, _right(0.8))
    gate = judge(same, same, "champion", INTENT)
    assert (gate.verdict, gate.p_value) == ("fail", 1.0)


def test_the_same_answers_on_few_items_exclude_nothing() -> None:
    """A bootstrap over no difference has no width; that is not evidence that there is none."""
    same = _evaluation(INTENT, _right(0.8, 50))
    gate = judge(same, same, "probe", INTENT)
    assert gate.verdict == "inconclusive"
    assert gate.high == pytest.approx(0.06)
    assert "below 0.0600 would go unseen" in gate.reasons[1]


def test_a_little_better_is_inconclusive() -> None:
    """Three items more of 400 prove nothing."""
    track = replace(INTENT, margin=0.001)
    gate = judge(_evaluation(track, _right(0.8075)), _evaluation(track, _right(0.8)), "probe", track)
    assert gate.verdict == "inconclusive"


def test_few_conversations_do_not_pass_by_many_items() -> None:
    """400 items of 5 conversations are 5 pieces of evidence."""
    gate = judge(_evaluation(INTENT, _right(0.8), 5), _evaluation(INTENT, _right(0.6), 5), "probe", INTENT)
    assert gate.verdict == "inconclusive"
    assert "5 conversations" in gate.reasons[0]


@pytest.mark.parametrize("n", [0, 1, 9])
def test_too_few_items_are_inconclusive(n: int) -> None:
    """However good they look."""
    gate = judge(_evaluation(INTENT, _right(1.0, n)), _evaluation(INTENT, _right(0.0, n)), "probe", INTENT)
    assert gate.verdict == "inconclusive"


def test_other_items_are_inconclusive() -> None:
    """A paired test needs pairs."""
    gate = judge(_evaluation(INTENT, _right(0.9, 50)), _evaluation(INTENT, _right(0.5, 60)), "probe", INTENT)
    assert gate.verdict == "inconclusive"
    assert "not the same items" in gate.reasons[0]


def test_missing_measurements_are_inconclusive() -> None:
    """Nan is not a score."""
    broken = _right(0.9)
    broken[3] = np.nan
    candidate = replace(_evaluation(INTENT, _right(0.9)), per_item=broken)
    assert judge(candidate, _evaluation(INTENT, _right(0.5)), "probe", INTENT).verdict == "inconclusive"


def test_other_metrics_are_inconclusive() -> None:
    """Figures of two metrics are not compared."""
    other = replace(_evaluation(INTENT, _right(0.5)), metric="macro_f1")
    assert judge(_evaluation(INTENT, _right(0.9)), other, "probe", INTENT).verdict == "inconclusive"


def test_a_lower_loss_passes() -> None:
    """For a loss, lower is better, and the difference is counted in that direction."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(5, 20, N).astype(float)
    theirs = np.stack([tokens * 2.0 + rng.normal(0, 1, N), tokens], axis=1)
    ours = np.stack([theirs[:, 0] - 0.3 * tokens, tokens], axis=1)
    gate = judge(_evaluation(RESPONSE, ours, 100), _evaluation(RESPONSE, theirs, 100), "base", RESPONSE)
    assert (gate.verdict, gate.test) == ("pass", "paired_bootstrap_by_conversation")
    assert gate.difference == pytest.approx(0.3, abs=0.01)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_mcnemar_is_symmetric(pairs: list[tuple[bool, bool]]) -> None:
    """Exchanging the sides changes no p-value, and agreement alone gives 1."""
    ours, theirs = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    assert mcnemar(ours, theirs) == pytest.approx(mcnemar(theirs, ours))
    assert mcnemar(ours, ours) == 1.0


def test_mcnemar_matches_the_textbook() -> None:
    """10 against 2 discordant items: 2 * P(X <= 2), X binomial(12, 0.5)."""
    ours = np.array([1.0] * 10 + [0.0] * 2 + [1.0] * 5)
    theirs = np.array([0.0] * 10 + [1.0] * 2 + [1.0] * 5)
    assert mcnemar(ours, theirs) == pytest.approx(0.03857421875)
