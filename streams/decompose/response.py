"""Response: what the agent said, in its context.

From labels and from people's demonstrations (the ideal answer), else the agent's own text. The label of its bucket is
the act: ask, refuse, hand_off or answer.
"""

from __future__ import annotations

from collections.abc import Iterator

from streams.decompose.labels import labels_of, space
from streams.decompose.varied import varied
from streams.decompose.window import Windows
from streams.markers import HANDOFF_TOOL, refuses
from streams.transcript import Transcript, Turn
from streams.values import Cut

MAX_TOKENS = 320
MAX_EXAMPLES = 6


def cut(transcript: Transcript, windows: Windows) -> list[Cut]:
    """At most `MAX_EXAMPLES` response examples, acts mixed; an ideal answer replaces the given one."""
    ideal = [*_ideal(transcript, windows)]
    replaced = {one.turn for one in ideal}
    own = [turn for turn in _replies(transcript) if turn.index not in replaced]
    chosen = varied([(act(turn.text, transcript), turn) for turn in own], MAX_EXAMPLES - len(ideal))
    label_set = f"replies:{space(transcript.conversation)}"
    return ideal[:MAX_EXAMPLES] + [
        Cut("response", turn.index, windows.all(turn.index, MAX_TOKENS), turn.text, label, label_set, "transcript")
        for label, turn in chosen
    ]


def act(text: str, transcript: Transcript) -> str:
    """What an agent's text does."""
    if refuses(text):
        return "refuse"
    if text.rstrip().endswith("?"):
        return "ask"
    last = transcript.agent[-1].text if transcript.agent else ""
    handed_off = text == last and any(HANDOFF_TOOL.search(call.name) for call in transcript.calls)
    return "hand_off" if handed_off else "answer"


def _replies(transcript: Transcript) -> Iterator[Turn]:
    """Agent turns that answer; a greeting before any customer word, or text beside a call, does not."""
    first = transcript.customer[0].index if transcript.customer else len(transcript.turns)
    return (turn for turn in transcript.agent if turn.index > first and turn.text.strip() and not turn.calls)


def _ideal(transcript: Transcript, windows: Windows) -> Iterator[Cut]:
    for label in labels_of(transcript, "response"):
        if label.message is not None and isinstance(label.target, str) and label.target:
            yield _ideal_cut(transcript, windows, label.message, label.target, (label.label_set, label.source))
    label_set = f"replies:{space(transcript.conversation)}"
    for feedback in transcript.conversation.feedback:
        index = feedback.message
        if index is None or not 0 <= index < len(transcript.turns):
            continue
        if feedback.kind == "demonstration" and isinstance(feedback.value, str):
            yield _ideal_cut(transcript, windows, index, feedback.value, (label_set, "person"))


def _ideal_cut(transcript: Transcript, windows: Windows, index: int, text: str, origin: tuple[str, str]) -> Cut:
    """About an agent's message the ideal text replaces it; about a customer's it answers it."""
    end = index if transcript.turns[index].speaker == "agent" else index + 1
    label_set, source = origin
    return Cut("response", index, windows.all(end, MAX_TOKENS), text, act(text, transcript), label_set, source)
