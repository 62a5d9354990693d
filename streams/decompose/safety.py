"""Safety: which categories a customer's turn violates; none = safe.

From labels (people, the teacher, guardrails), from the verdicts that gateways leave on messages
(`content_filter_results`), else, in a label set of their own, from the agent's refusals: whether it declined what this
turn asked. A turn without any verdict is not called safe in the set of a guardrail. A label on another speaker's turn
is cut with that fault: it says nothing of the customer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from streams.decompose.labels import faults_of, labels_of, space
from streams.decompose.varied import varied
from streams.decompose.window import Windows
from streams.markers import refuses
from streams.messages import count_words
from streams.transcript import Transcript, Turn
from streams.values import Cut

MAX_TOKENS = 128
MAX_EXAMPLES = 4
SAFE = "safe"
REFUSED = "refused"
MIN_WORDS = 4
"""A shorter turn (yes, an id) asks for nothing that could be refused."""


def cut(transcript: Transcript, windows: Windows) -> list[Cut]:
    """Safety examples of one conversation, at most `MAX_EXAMPLES` of them from refusals."""
    judged = [*_from_labels(transcript, windows), *_from_verdicts(transcript, windows)]
    if any(not cut.faults for cut in judged):
        return judged
    return [*_from_refusals(transcript, windows), *judged]


def _from_labels(transcript: Transcript, windows: Windows) -> Iterator[Cut]:
    for label in labels_of(transcript, "safety"):
        turn = transcript.turns[label.message] if label.message is not None else next(iter(transcript.customer), None)
        if turn is not None and turn.text and isinstance(label.target, list):
            yield _cut(turn, windows, sorted(map(str, label.target)), (label.label_set, label.source))


def _from_verdicts(transcript: Transcript, windows: Windows) -> Iterator[Cut]:
    label_set = f"guardrail:{space(transcript.conversation)}"
    for turn in transcript.customer:
        verdict = turn.message.get("content_filter_results")
        if isinstance(verdict, dict) and turn.text:
            yield _cut(turn, windows, _filtered(verdict), (label_set, "guardrail"))


def _filtered(verdict: dict[str, Any]) -> list[str]:
    return sorted(name for name, found in verdict.items() if isinstance(found, dict) and found.get("filtered") is True)


def _from_refusals(transcript: Transcript, windows: Windows) -> Iterator[Cut]:
    label_set = f"refusals:{space(transcript.conversation)}"
    answered = [(REFUSED if refused else SAFE, turn) for turn, refused in _answered(transcript)]
    for label, turn in varied(answered, MAX_EXAMPLES):
        yield _cut(turn, windows, [REFUSED] if label == REFUSED else [], (label_set, "refusal"))


def _answered(transcript: Transcript) -> Iterator[tuple[Turn, bool]]:
    """Customer turns that ask for something, with whether the agent's next words refuse it."""
    asked: Turn | None = None
    for turn in transcript.turns:
        if turn.speaker == "customer":
            asked = turn if count_words(turn.text) >= MIN_WORDS else None
        elif turn.speaker == "agent" and asked is not None and (turn.text.strip() or turn.message.get("refusal")):
            yield asked, bool(turn.message.get("refusal")) or refuses(turn.text)
            asked = None


def _cut(turn: Turn, windows: Windows, target: list[str], origin: tuple[str, str]) -> Cut:
    label_set, source = origin
    context, label = windows.judged(turn, MAX_TOKENS), "+".join(target) or SAFE
    return Cut("safety", turn.index, context, target, label, label_set, source, None, faults_of(turn))
