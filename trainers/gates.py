"""Gates: is the candidate better than another predictor, by a paired test on the same items? Pure over arrays.

Three verdicts. Only measured evidence passes: missing data, other items, or too few of them are inconclusive. A
candidate fails when it is worse, or when a gain as large as the track's margin is excluded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest, norm

from schemas.records import Gate, Verdict
from trainers.evaluate import Evaluation
from trainers.metrics import LEVEL, MEASURES, Array, Measure, cluster_sums, resampled
from trainers.tracks import Track

ALPHA = 1 - LEVEL
POWER = 0.8
LEAST_CLUSTERS = 20
"""Below this a bootstrap over conversations says too little."""


UNSEEN = 3.0
"""The rule of three: what none of n shows is in at most 3 / n of all, at 95 % (Hanley & Lippman-Hand 1983)."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Candidate minus other in the direction of better, with its 95 % interval, p-value and detectable difference."""

    test: str
    p_value: float
    difference: float
    low: float
    high: float
    detectable: float
    items: int
    conversations: int


def judge(candidate: Evaluation, other: Evaluation, other_name: str, track: Track) -> Gate:
    """The verdict on a candidate against the champion, the probe or the bare base."""
    if reason := _unfit(candidate, other, track):
        return Gate("inconclusive", other_name, _test_name(track), None, None, None, None, (reason,))
    found = compare(candidate, other, track)
    verdict, why = _verdict(found, other_name, track)
    reasons = (why, _facts(found, candidate, other, track))
    return Gate(verdict, other_name, found.test, found.p_value, found.difference, found.low, found.high, reasons)


def _test_name(track: Track) -> str:
    return "mcnemar_exact" if MEASURES[track.metric].proportion else "paired_bootstrap_by_conversation"


def _unfit(candidate: Evaluation, other: Evaluation, track: Track) -> str | None:
    """Why nothing can be said, or None."""
    conversations = len(set(candidate.clusters))
    faults = (
        (candidate.metric != other.metric, f"metrics differ: {candidate.metric} against {other.metric}"),
        (
            candidate.value is None or other.value is None,
            f"{track.metric} could not be measured (n={candidate.n} and {other.n})",
        ),
        (
            candidate.item_ids != other.item_ids,
            f"not the same items: {candidate.n} against {other.n}; measure both on one benchmark",
        ),
        (not (_whole(candidate) and _whole(other)), "some items were not measured"),
        (
            candidate.n < track.min_paired,
            f"{candidate.n} paired items are too few; at least {track.min_paired} are asked for",
        ),
        (
            conversations < LEAST_CLUSTERS,
            f"the items come from {conversations} conversations; at least {LEAST_CLUSTERS} are asked for",
        ),
    )
    return next((reason for wrong, reason in faults if wrong), None)


def _whole(evaluation: Evaluation) -> bool:
    return bool(np.isfinite(evaluation.per_item).all())


def compare(candidate: Evaluation, other: Evaluation, track: Track) -> Comparison:
    """The paired test: McNemar's exact one for right/wrong items, else a bootstrap; the interval is by conversation.

    Both sides see the same resamples of conversations, so what they share cancels out (Miller 2024).
    """
    measure = MEASURES[track.metric]
    sums = [cluster_sums(side.per_item, candidate.clusters) for side in (candidate, other)]
    drawn = _differences(measure, resampled(np.hstack(sums), track.seed))
    whole = _differences(measure, np.hstack(sums).sum(axis=0, keepdims=True))[0]
    low, high = np.quantile(drawn, [ALPHA / 2, 1 - ALPHA / 2])
    detectable = float(norm.ppf(1 - ALPHA / 2) + norm.ppf(POWER)) * float(drawn.std())
    if low == high:
        # Nothing varied, which is no certainty: what n conversations never showed may still be in 3 of n.
        detectable = UNSEEN / len(sums[0])
        low, high = whole - detectable, whole + detectable
    exact = mcnemar(candidate.per_item[:, 0], other.per_item[:, 0]) if measure.proportion else _two_sided(drawn)
    test = _test_name(track)
    return Comparison(test, exact, float(whole), float(low), float(high), detectable, candidate.n, len(sums[0]))


def _differences(measure: Measure, sums: Array) -> Array:
    """Candidate minus other, of sums [..., 2k]; positive is better."""
    ours, theirs = np.split(sums, 2, axis=-1)
    sign = 1.0 if measure.higher_is_better else -1.0
    return np.nan_to_num(sign * (measure.value(ours) - measure.value(theirs)))


def _two_sided(drawn: Array) -> float:
    """Twice the smaller share of resamples beyond zero, never 0 (Davison & Hinkley 1997)."""
    beyond = min((drawn <= 0).sum(), (drawn >= 0).sum())
    return float(min(1.0, 2 * (beyond + 1) / (len(drawn) + 1)))


def mcnemar(candidate: Array, other: Array) -> float:
    """Two-sided exact p-value of McNemar's test on right (1) and wrong (0) [n]; only discordant items count."""
    gained, lost = int(((candidate > 0) & (other == 0)).sum()), int(((candidate == 0) & (other > 0)).sum())
    return float(binomtest(gained, gained + lost, 0.5).pvalue) if gained + lost else 1.0


def _verdict(found: Comparison, other: str, track: Track) -> tuple[Verdict, str]:
    """Pass needs both the test and the interval by conversation, since McNemar's takes items as independent."""
    significant = found.p_value < ALPHA
    if significant and found.low > 0:
        return "pass", f"better than {other} by {found.difference:.4f} {track.metric}"
    if significant and found.high < 0:
        return "fail", f"worse than {other} by {-found.difference:.4f} {track.metric}"
    if found.high < track.margin:
        return "fail", f"a gain of {track.margin} over {other} is excluded: at most {found.high:.4f}"
    return "inconclusive", f"neither better nor worse than {other} beyond chance"


def _facts(found: Comparison, candidate: Evaluation, other: Evaluation, track: Track) -> str:
    assert candidate.value is not None
    assert other.value is not None
    return (
        f"{track.metric} {candidate.value:.4f} against {other.value:.4f}, difference {found.difference:+.4f} "
        f"[{found.low:+.4f}, {found.high:+.4f}], p={found.p_value:.4f} ({found.test}), "
        f"n={found.items} in {found.conversations} conversations; differences below {found.detectable:.4f} "
        f"would go unseen at 80 % power"
    )
