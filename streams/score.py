"""Score a conversation at stream speed: signals from 0 (bad) to 1 (good), and their weighted mean as quality.

Weights, version rules-2. What the source measured weighs most: an outcome as much as the whole transcript, what the
customer said half of that. Among the transcript's signals those that make a demonstration *wrong to imitate* (tools
that fail, malformed calls, the same call again) weigh more than those of style. Absent signals leave the mean; without
any agent turn, outcome or feedback, quality is unknown (None), never 0. Nothing here looks at labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from schemas.ids import normalised
from schemas.records import Feedback, Outcome, Provenance, Score
from streams.markers import FAREWELL, FRUSTRATION, HANDOFF_TOOL, refuses
from streams.messages import offered
from streams.transcript import Call, Transcript

SCORER = "rules-2"

WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "outcome": 8.0,  # the source's own verdict
        "feedback": 4.0,  # thumbs and ratings
        "tools_succeeded": 1.5,  # results that are no error
        "arguments_valid": 1.5,  # JSON objects that name an offered tool and carry what it requires
        "calls_answered": 0.5,  # calls with a result
        "calls_fresh": 1.0,  # no call repeats an earlier one word for word: loops
        "agent_spoke": 1.0,  # agent turns that say or do something
        "customer_heard": 1.0,  # the customer need not say the same again
        "customer_calm": 1.0,  # no marker of frustration
        "agent_helped": 0.5,  # answers that do not refuse; a right refusal exists, so it weighs little
        "kept_in_house": 0.5,  # no hand-off to a person; sometimes right, so it weighs little
        "finished": 1.0,  # the agent, or a farewell, has the last word
        "concise": 0.5,  # 1 up to 40 messages, 0 from 120
    }
)

FAILED_REASONS = frozenset(
    {"agent_error", "too_many_errors", "max_steps", "max_turns", "timeout", "error", "abandoned"}
)
"""Reasons of ending that mean failure where the source gives no verdict."""

_SCALES = {"csat": (1.0, 5.0), "stars": (1.0, 5.0), "rating": (1.0, 5.0), "nps": (0.0, 10.0)}
"""Known scales by name of the metric; others must lie between 0 and 1, or stay unknown."""


def score(transcript: Transcript) -> Score:
    """The score of one conversation, with its provenance (index 0: one score for each conversation)."""
    conversation = transcript.conversation
    signals = {name: measure(transcript) for name, measure in _MEASURES.items()}
    root = conversation.provenance
    return Score(
        conversation_id=conversation.conversation_id,
        revision=conversation.revision,
        provenance=Provenance(root.cluster_id, root.topic, root.partition, root.offset, 0, None, root.attempt),
        scorer=SCORER,
        quality=quality(signals),
        signals=signals,
        failed=failed(conversation.outcome),
        occurred_at=conversation.ended_at,
        tenant=conversation.tenant,
        variant=conversation.variant,
    )


def quality(signals: Mapping[str, float | None]) -> float | None:
    """Weighted mean of the signals that were observed; None where nothing informative was."""
    if all(signals[name] is None for name in ("outcome", "feedback", "agent_spoke")):
        return None
    seen = [(WEIGHTS[name], value) for name, value in signals.items() if value is not None]
    return round(sum(weight * value for weight, value in seen) / sum(weight for weight, _ in seen), 4)


def failed(outcome: Outcome | None) -> bool | None:
    """Whether the contact failed: by its verdict, else its reward (<= 0 fails, >= 1 succeeds), else its end."""
    if outcome is None:
        return None
    if outcome.success is not None:
        return not outcome.success
    if outcome.reward is not None and not 0 < outcome.reward < 1:
        return outcome.reward <= 0
    return True if outcome.reason in FAILED_REASONS else None


def _outcome(transcript: Transcript) -> float | None:
    outcome = transcript.conversation.outcome
    if outcome is not None and outcome.success is None and outcome.reward is not None and 0 < outcome.reward < 1:
        return outcome.reward
    verdict = failed(outcome)
    return None if verdict is None else float(not verdict)


def _feedback(transcript: Transcript) -> float | None:
    values = [value for one in transcript.conversation.feedback if (value := _rating(one)) is not None]
    return _mean(values)


def _rating(feedback: Feedback) -> float | None:
    value = feedback.value
    if isinstance(value, bool):
        return float(value)
    if not isinstance(value, float):
        return None
    low, high = _SCALES.get(feedback.name.casefold(), (0.0, 1.0))
    return (value - low) / (high - low) if low <= value <= high else None


def _tools_succeeded(transcript: Transcript) -> float | None:
    return _mean([float(not call.failed) for call in transcript.calls if call.result is not None])


def _arguments_valid(transcript: Transcript) -> float | None:
    if not transcript.calls:
        return None
    schemas = offered(transcript.conversation.tools)
    return _mean([float(is_valid(call, schemas)) for call in transcript.calls])


def is_valid(call: Call, schemas: Mapping[str, Mapping[str, object]]) -> bool:
    """Whether a call's arguments are an object that carries what the offered tool requires, as far as that is known."""
    if call.arguments is None:
        return False
    if not schemas:
        return True
    required = schemas[call.name].get("required", ()) if call.name in schemas else None
    return isinstance(required, (list, tuple)) and all(isinstance(n, str) and n in call.arguments for n in required)


def _calls_answered(transcript: Transcript) -> float | None:
    return _mean([float(call.result is not None) for call in transcript.calls])


def _calls_fresh(transcript: Transcript) -> float | None:
    return _fresh([(call.name, call.raw) for call in transcript.calls])


def _agent_spoke(transcript: Transcript) -> float | None:
    return _mean([float(bool(turn.calls) or bool(turn.text.strip())) for turn in transcript.agent])


def _customer_heard(transcript: Transcript) -> float | None:
    """Short turns (yes, thanks) may come again; a sentence that does was not answered."""
    return _fresh([normalised(turn.text) for turn in transcript.customer if len(turn.text) > 20])


def _customer_calm(transcript: Transcript) -> float | None:
    return _mean([float(not FRUSTRATION.are_in(turn.text)) for turn in transcript.customer])


def _agent_helped(transcript: Transcript) -> float | None:
    return _mean([float(not refuses(turn.text)) for turn in transcript.agent if turn.text])


def _kept_in_house(transcript: Transcript) -> float | None:
    if not transcript.agent:
        return None
    return float(not any(HANDOFF_TOOL.search(call.name) for call in transcript.calls))


def _finished(transcript: Transcript) -> float | None:
    said = [turn for turn in transcript.turns if turn.speaker != "system"]
    if not said or not transcript.agent:
        return None
    last = said[-1]
    if last.speaker == "customer":
        return float(FAREWELL.search(last.text) is not None)
    return float(last.speaker == "agent" and not last.calls and bool(last.text.strip()))


def _concise(transcript: Transcript) -> float | None:
    n_messages = len(transcript.turns)
    return min(1.0, max(0.0, (120 - n_messages) / 80)) if transcript.agent else None


def _fresh(values: Sequence[object]) -> float | None:
    return len(set(values)) / len(values) if values else None


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


_MEASURES: Mapping[str, Callable[[Transcript], float | None]] = MappingProxyType(
    {
        "outcome": _outcome,
        "feedback": _feedback,
        "tools_succeeded": _tools_succeeded,
        "arguments_valid": _arguments_valid,
        "calls_answered": _calls_answered,
        "calls_fresh": _calls_fresh,
        "agent_spoke": _agent_spoke,
        "customer_heard": _customer_heard,
        "customer_calm": _customer_calm,
        "agent_helped": _agent_helped,
        "kept_in_house": _kept_in_house,
        "finished": _finished,
        "concise": _concise,
    }
)
