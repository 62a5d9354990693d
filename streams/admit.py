"""Admit an example for training, or say why not; the reasons are stored either way.

Admitted is what a person labelled, and what comes from a conversation whose quality reaches the track's threshold and
whose outcome did not fail; never what its rules found a fault in. An unknown outcome is allowed, and named.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from schemas.records import Score
from streams.values import Cut

AdmissionReason = Literal[
    "person_label",
    "quality_reached",
    "outcome_unknown",
    "quality_unknown",
    "quality_below_threshold",
    "outcome_failed",
    "tool_failed",
    "tool_unanswered",
    "not_the_customer",
]
"""A closed list, without figures in it, so that the funnel can count by reason."""


class Admission(NamedTuple):
    """The verdict and every reason that bore on it."""

    admitted: bool
    reasons: tuple[str, ...]


def admit(cut: Cut, score: Score, min_quality: float) -> Admission:
    """Whether training may use this cut of a conversation with this score."""
    if cut.label_source == "person":
        return Admission(not cut.faults, (*cut.faults, "person_label"))
    against = [*_against(score, min_quality), *cut.faults]
    reached = score.quality is not None and score.quality >= min_quality
    context = ("quality_reached",) * reached + ("outcome_unknown",) * (score.failed is None)
    return Admission(not against, (*against, *context))


def _against(score: Score, min_quality: float) -> list[AdmissionReason]:
    found: list[AdmissionReason] = []
    if score.failed:
        found.append("outcome_failed")
    if score.quality is None:
        found.append("quality_unknown")
    elif score.quality < min_quality:
        found.append("quality_below_threshold")
    return found
