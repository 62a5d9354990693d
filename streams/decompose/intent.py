"""Intent: what the customer wants, for the turn that says so.

From labels; else from the flow that the publisher names; else from the tool sequence: the first action that follows a
request and succeeds. Reading tools prepare actions, so one names the intent only where no action follows at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from schemas.records import Json
from streams.decompose.labels import labels_of, space
from streams.decompose.window import Windows
from streams.markers import CONSENT
from streams.messages import count_words
from streams.transcript import Call, Transcript, Turn
from streams.values import Cut

MAX_TOKENS = 128
MAX_EXAMPLES = 4
FLOW_KEYS = ("flow", "intent", "subflow", "topic")
READING = re.compile(
    r"^(?:get|find|search|list|look_?up|check|fetch|read|query|show|view|calculate|think|verify|identify)"
)
"""Tools that look something up; whatever else a tool does is an action."""


def cut(transcript: Transcript, windows: Windows) -> list[Cut]:
    """Intent examples of one conversation, at most `MAX_EXAMPLES`."""
    found = [*_from_labels(transcript, windows)]
    if not found:
        found = [*_from_flow(transcript, windows)] or [*_from_tools(transcript, windows)]
    return found[:MAX_EXAMPLES]


def request_turn(transcript: Transcript, start: int = 0, end: int | None = None) -> Turn | None:
    """The first customer turn in messages [start, end) that brings a wish: more than a greeting, a yes or an id."""
    stop = len(transcript.turns) if end is None else end
    turns = [turn for turn in transcript.customer if start <= turn.index < stop]
    return next((t for t in turns if count_words(t.text) >= 5 and CONSENT.match(t.text) is None), None)


def _from_labels(transcript: Transcript, windows: Windows) -> Iterator[Cut]:
    first = request_turn(transcript) or next(iter(transcript.customer), None)
    for label in labels_of(transcript, "intent"):
        turn = first if label.message is None else transcript.turns[label.message]
        if turn is not None and turn.speaker == "customer" and turn.text:
            yield _cut(turn, windows, label.target, label.label_set, label.source)


def _from_flow(transcript: Transcript, windows: Windows) -> Iterator[Cut]:
    metadata = transcript.conversation.metadata
    flow = next((metadata[key] for key in FLOW_KEYS if metadata.get(key)), None)
    turn = request_turn(transcript)
    if flow and turn:
        yield _cut(turn, windows, flow, f"flows:{space(transcript.conversation)}", "flow")


def _from_tools(transcript: Transcript, windows: Windows) -> Iterator[Cut]:
    label_set = f"actions:{space(transcript.conversation)}"
    done = [call for call in transcript.calls if call.result is not None and not call.failed]
    actions = [call for call in done if not READING.match(call.name)] or done[-1:]
    start, seen = 0, set[str]()
    for action in actions:
        turn = _asked_for(action, transcript, start)
        if turn is not None and action.name not in seen:
            yield _cut(turn, windows, action.name, label_set, "tool_sequence")
        if turn is not None:
            start = turn.index + 1
        seen.add(action.name)


def _asked_for(action: Call, transcript: Transcript, start: int) -> Turn | None:
    return request_turn(transcript, start, action.index)


def _cut(turn: Turn, windows: Windows, target: Json, label_set: str, source: str) -> Cut:
    label = "+".join(sorted(map(str, target))) or "out_of_scope" if isinstance(target, list) else str(target)
    return Cut("intent", turn.index, windows.words(turn.index + 1, MAX_TOKENS), target, label, label_set, source)
