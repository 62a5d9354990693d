"""Entities: character spans in a customer's turn with what they mean to the tools.

From labels, those on another speaker's turn with that fault; else each value that a successful call was given is looked
for in what the customer said before it, in the newest turn that says it. A value that stands there twice, and a place
that two arguments claim, are ambiguous and dropped.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from schemas.records import Json
from streams.decompose.labels import faults_of, labels_of, space
from streams.decompose.locate import may_stand_in, places
from streams.decompose.varied import varied
from streams.decompose.window import Windows
from streams.transcript import Call, Transcript, Turn
from streams.values import Cut

MAX_TOKENS = 128
MAX_EXAMPLES = 6
MAX_LEAVES = 40
"""Arguments looked at for one call: a call with more is a bulk import, not what a customer said."""

COMPOSED = frozenset({"thought", "expression", "query", "summary", "content", "message", "text", "note", "sql", "code"})
"""Arguments that the agent writes itself."""


class Span(NamedTuple):
    """A labelled place, end exclusive."""

    start: int
    end: int
    label: str


def cut(transcript: Transcript, windows: Windows) -> list[Cut]:
    """Entity examples of one conversation, at most `MAX_EXAMPLES`."""
    labelled = [*_from_labels(transcript, windows)]
    sound = [label for label in labelled if not label.faults]
    if sound:
        return [*sound, *(label for label in labelled if label.faults)][:MAX_EXAMPLES]
    found = located(transcript)
    label_set = f"arguments:{space(transcript.conversation)}"
    turns = [(_label(spans), (turn, spans)) for turn in transcript.customer if (spans := found.get(turn.index))]
    derived = varied(turns, MAX_EXAMPLES)
    cuts = [_cut(turn, windows, spans, (label_set, "tool_arguments")) for _, (turn, spans) in derived]
    return [*cuts, *labelled][:MAX_EXAMPLES]


def located(transcript: Transcript) -> dict[int, list[Span]]:
    """Spans by customer turn, for every turn in which something was located without doubt."""
    claims: defaultdict[int, set[Span]] = defaultdict(set)
    seen: set[tuple[str, str, int]] = set()
    spoken = [turn for turn in transcript.customer if turn.text]
    indexes = [turn.index for turn in spoken]
    heard = "\n".join(turn.text for turn in spoken).lower()
    for call in transcript.calls:
        if call.arguments is None or call.result is None or call.failed:
            continue
        n_before = bisect_left(indexes, call.index)
        for label, value in _leaves(call):
            key = (label, str(value), n_before)
            if key not in seen:
                seen.add(key)
                if may_stand_in(value, heard):
                    _claim(label, value, spoken[:n_before], claims)
    return {index: kept for index, spans in claims.items() if (kept := undisputed(spans))}


def _claim(label: str, value: Json, before: list[Turn], claims: defaultdict[int, set[Span]]) -> None:
    for turn in reversed(before):
        found = places(value, turn.text)
        if found:
            if len(found) == 1:
                claims[turn.index].add(Span(*found[0], label))
            return


def undisputed(spans: set[Span]) -> list[Span]:
    """The spans that no other disputes: a longer one holds against those inside it, otherwise overlap drops both."""
    ordered = sorted(spans)
    return [span for span in ordered if not any(_disputes(other, span) for other in ordered if other != span)]


def _disputes(other: Span, span: Span) -> bool:
    overlaps = other.start < span.end and span.start < other.end
    inside = span.start <= other.start and other.end <= span.end and other[:2] != span[:2]
    return overlaps and not inside


def _leaves(call: Call) -> list[tuple[str, Json]]:
    return [*_walk(call.arguments, "")][:MAX_LEAVES]


def _walk(value: Any, label: str) -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in COMPOSED:
                yield from _walk(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner, label)
    else:
        yield label, value


def _from_labels(transcript: Transcript, windows: Windows) -> Iterator[Cut]:
    for label in labels_of(transcript, "entities"):
        if label.message is None or not isinstance(label.target, list):
            continue
        turn = transcript.turns[label.message]
        spans = [_span(raw, len(turn.text)) for raw in label.target]
        sound = [span for span in spans if span is not None]
        if turn.text and len(sound) == len(spans):
            yield _cut(turn, windows, sorted(sound), (label.label_set, label.source))


def _span(raw: Json, n_chars: int) -> Span | None:
    if not isinstance(raw, dict):
        return None
    start, end, label = raw.get("start"), raw.get("end"), raw.get("label")
    if not (isinstance(start, int) and isinstance(end, int) and isinstance(label, str)):
        return None
    return Span(start, end, label) if 0 <= start < end <= n_chars else None


def _label(spans: list[Span]) -> str:
    return "+".join(sorted({span.label for span in spans})) or "none"


def _cut(turn: Turn, windows: Windows, spans: list[Span], origin: tuple[str, str]) -> Cut:
    label_set, source = origin
    context = windows.judged(turn, MAX_TOKENS)
    target = [span._asdict() for span in spans if span.end <= len(context[-1]["content"])]
    return Cut("entities", turn.index, context, target, _label(spans), label_set, source, None, faults_of(turn))
