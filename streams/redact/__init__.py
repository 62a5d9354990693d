"""Redact: replace personal data by surrogates of the same type and shape, alike in text and tool arguments.

City, state and country stay: the business is about them, and alone they identify nobody. So do order numbers,
reservation codes, payment and product ids, unless one is the customer's own id. What this cannot find are names in free
text that no greeting, introduction or tool gives away; `bench/steps.py` measures the recall.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from schemas.ids import customer_hash
from schemas.records import Conversation, Feedback, Message, Outcome
from streams.messages import is_text_part, text_of
from streams.redact.known import Known, values_in
from streams.redact.patterns import Kind, introduced
from streams.redact.rewrite import Edit, Rewriter, apply, moved, parse
from streams.redact.surrogates import Surrogates
from streams.settings import RedactSettings
from streams.values import Draft

REDACTOR = "patterns-1"

_STRUCTURE = frozenset({"role", "id", "type", "tool_call_id", "tool_calls", "content", "function_call"})
"""Keys of a message that hold no words of anybody, or are rewritten on their own."""


def redact(draft: Draft, settings: RedactSettings) -> Conversation:
    """The conversation with surrogates for personal data and a keyed hash for the customer."""
    rewriter = Rewriter(Surrogates(settings.key), Known(_certain(draft)))
    spans = _labelled(draft)
    edits = {index: rewriter.edits(text_of(draft.messages[index])) for index in spans}
    messages = [_message(message, rewriter, plain=i in edits) for i, message in enumerate(draft.messages)]
    labels = [_label(label, edits, rewriter) for label in draft.labels]
    return Conversation(
        conversation_id=draft.conversation_id,
        revision=draft.revision,
        provenance=draft.provenance,
        messages=messages,
        closed_by=draft.closed_by,
        events=draft.events,
        redactor=REDACTOR,
        tenant=draft.tenant,
        customer_hash=customer_hash(draft.customer_id, settings.key) if draft.customer_id else None,
        agent=draft.agent,
        variant=draft.variant,
        started_at=draft.started_at,
        ended_at=draft.ended_at,
        tools=draft.tools,
        usage=draft.usage,
        feedback=tuple(_feedback(feedback, rewriter) for feedback in draft.feedback),
        outcome=_outcome(draft.outcome, rewriter),
        labels=labels,
        metadata=rewriter.value(draft.metadata),
        redactions=dict(rewriter.counts),
    )


def redact_text(
    text: str, spans: Sequence[tuple[int, int]], settings: RedactSettings
) -> tuple[str, list[tuple[int, int]]]:
    """A text on its own with surrogates, and where these spans of it (end exclusive) stand afterwards."""
    edits = Rewriter(Surrogates(settings.key), Known(_named(text))).edits(text)
    return apply(edits, text), [moved(edits, start, end) for start, end in spans]


def _certain(draft: Draft) -> Iterator[tuple[str, Kind]]:
    """Personal values that the conversation names: under keys, as its customer, in greetings."""
    if draft.customer_id:
        yield draft.customer_id, "customer_id"
    yield from values_in(draft.metadata)
    for message in draft.messages:
        text = text_of(message)
        yield from values_in(parse(text)) if message["role"] != "user" else ()
        yield from _named(text)
        for call in message.get("tool_calls") or ():
            arguments = call["function"].get("arguments")
            yield from values_in(parse(arguments) if isinstance(arguments, str) else arguments)


def _named(text: str) -> Iterator[tuple[str, Kind]]:
    return ((text[place.start : place.end], "person") for place in introduced(text))


def _labelled(draft: Draft) -> set[int]:
    """Messages whose words carry labelled spans: they are rewritten as plain text, so that spans can follow."""
    named = (label.get("message") for label in draft.labels if label["task"] == "entities")
    return {index for index in named if isinstance(index, int) and 0 <= index < len(draft.messages)}


def _message(message: Message, rewriter: Rewriter, *, plain: bool) -> Message:
    rewrite = rewriter.text if plain or message["role"] == "user" else rewriter.embedded
    content = message.get("content")
    made = {key: value if key in _STRUCTURE else rewriter.value(value) for key, value in message.items()}
    if isinstance(content, str):
        made["content"] = rewrite(content)
    elif isinstance(content, list):
        made["content"] = [{**part, "text": rewrite(part["text"])} if is_text_part(part) else part for part in content]
    if message.get("tool_calls"):
        made["tool_calls"] = [_call(call, rewriter) for call in message["tool_calls"]]
    return made


def _call(call: dict[str, Any], rewriter: Rewriter) -> dict[str, Any]:
    function = call["function"]
    arguments = function.get("arguments")
    made = rewriter.embedded(arguments) if isinstance(arguments, str) else rewriter.value(arguments)
    return {**call, "function": {**function, "arguments": made}}


def _label(label: dict[str, Any], edits: dict[int, list[Edit]], rewriter: Rewriter) -> dict[str, Any]:
    """A label whose target follows what was rewritten; intents and categories are no words of anybody."""
    if label["task"] == "entities" and isinstance(label["target"], list):
        return {**label, "target": [_span(span, edits.get(label.get("message", -1), [])) for span in label["target"]]}
    if label["task"] in ("response", "tools"):
        return {**label, "target": rewriter.value(label["target"])}
    return label


def _span(span: Any, edits: list[Edit]) -> Any:
    if not (isinstance(span, dict) and isinstance(span.get("start"), int) and isinstance(span.get("end"), int)):
        return span
    start, end = moved(edits, span["start"], span["end"])
    return {**span, "start": start, "end": end}


def _feedback(feedback: Feedback, rewriter: Rewriter) -> Feedback:
    value = feedback.value
    return replace(feedback, value=rewriter.text(value)) if isinstance(value, str) else feedback


def _outcome(outcome: Outcome | None, rewriter: Rewriter) -> Outcome | None:
    if outcome is None or outcome.reason is None:
        return outcome
    return replace(outcome, reason=rewriter.text(outcome.reason))
