"""Redact: replace personal data by surrogates of the same type and shape, alike in text and tool arguments.

City, state and country stay: the business is about them, and alone they identify nobody. So do order numbers,
reservation codes, payment and product ids, unless one is the customer's own id. What this cannot find are names in free
text that no greeting, introduction or tool gives away; `bench/steps.py` measures the recall.

Every string that a publisher may fill is rewritten; what stays verbatim is a closed list: `_VERBATIM`, the kinds that
the edge checks (task of a label, kind of a feedback, how a contact was closed) and our own provenance.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import orjson

from schemas.ids import customer_hash
from schemas.messages import is_text_part, text_of
from schemas.records import Conversation, Feedback, Message, Outcome, Tools
from streams.redact.known import Known, values_in
from streams.redact.patterns import Kind, find, introduced
from streams.redact.rewrite import Edit, Rewriter, apply, moved, parse, words_of
from streams.redact.surrogates import Surrogates
from streams.settings import RedactSettings
from streams.values import Draft

REDACTOR = "patterns-2"

_VERBATIM = frozenset({"role"})
"""Keys of a message whose value stays as it is: the edge takes no role but those it knows."""


def redact(draft: Draft, settings: RedactSettings) -> Conversation:
    """The conversation with surrogates for personal data and a keyed hash for the customer."""
    rewriter = Rewriter(Surrogates(settings.key), Known(_certain(draft)))
    spans = _labelled(draft)
    edits = {index: rewriter.edits(text_of(draft.messages[index])) for index in spans}
    messages = [_message(message, rewriter, plain=i in edits) for i, message in enumerate(draft.messages)]
    labels = [_label(label, edits, rewriter) for label in draft.labels]
    return Conversation(
        conversation_id=_contact(draft.conversation_id, settings.key),
        revision=draft.revision,
        provenance=draft.provenance,
        messages=messages,
        closed_by=draft.closed_by,
        events=draft.events,
        redactor=REDACTOR,
        tenant=_text(draft.tenant, rewriter),
        customer_hash=customer_hash(draft.customer_id, settings.key) if draft.customer_id else None,
        agent=_text(draft.agent, rewriter),
        variant=_text(draft.variant, rewriter),
        started_at=draft.started_at,
        ended_at=draft.ended_at,
        tools=_tools(draft.tools, rewriter, settings.key),
        usage=tuple(replace(one, model=_text(one.model, rewriter)) if one.model else one for one in draft.usage),
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
        for function in _functions(message):
            arguments = function.get("arguments")
            yield from values_in(parse(arguments) if isinstance(arguments, str) else arguments)


def _functions(message: Message) -> Iterator[dict[str, Any]]:
    """What a message calls, in the form of today and in that of old."""
    for call in message.get("tool_calls") or ():
        yield call["function"]
    if isinstance(old := message.get("function_call"), dict):
        yield old


def _named(text: str) -> Iterator[tuple[str, Kind]]:
    return ((text[place.start : place.end], "person") for place in introduced(text))


def _labelled(draft: Draft) -> set[int]:
    """Messages whose words carry labelled spans: they are rewritten as plain text, so that spans can follow."""
    named = (label.get("message") for label in draft.labels if label["task"] == "entities")
    return {index for index in named if isinstance(index, int) and 0 <= index < len(draft.messages)}


def _message(message: Message, rewriter: Rewriter, *, plain: bool) -> Message:
    rewrite = rewriter.text if plain or message["role"] == "user" else rewriter.embedded

    def made(key: str, value: Any) -> Any:
        if key in _VERBATIM:
            return value
        if key != "content":
            return rewriter.value(value)
        if isinstance(value, list):
            return [_part(part, rewrite, rewriter) for part in value]
        return rewrite(value) if isinstance(value, str) else value

    return {rewriter.key(key): made(key, value) for key, value in message.items()}


def _part(part: Any, rewrite: Callable[[str], str], rewriter: Rewriter) -> Any:
    """A part of a message's content; the words of a text part are rewritten as the message's are."""
    if not is_text_part(part):
        return rewriter.value(part)
    return {rewriter.key(k): rewrite(value) if k == "text" else rewriter.value(value) for k, value in part.items()}


def _contact(conversation_id: str, key: bytes) -> str:
    """The id of a contact; a keyed hash where it is somebody's number or address.

    It goes by the id alone: what else a later revision says must not part it from the earlier ones.
    """
    if not find(conversation_id):
        return conversation_id
    return "k-" + hmac.new(key, conversation_id.encode(), hashlib.sha256).hexdigest()[:24]


def _text(text: str | None, rewriter: Rewriter) -> str | None:
    return None if text is None else rewriter.text(text)


def _tools(tools: Tools | None, rewriter: Rewriter, key: bytes) -> Tools | None:
    """Tool definitions; the conversations of one agent all offer the same, so they are read through once."""
    if not tools:
        return tools
    made, words = _offered(orjson.dumps(tools), key)
    return rewriter.value(made) if rewriter.knows(words) else made


@lru_cache(maxsize=64)
def _offered(tools: bytes, key: bytes) -> tuple[Tools, str]:
    """Definitions without what form alone tells, and all words of them, for a look at what a conversation names."""
    value = orjson.loads(tools)
    made = Rewriter(Surrogates(key), Known(())).value(value)
    return made, "\n".join(words_of(made))


def _label(label: dict[str, Any], edits: dict[int, list[Edit]], rewriter: Rewriter) -> dict[str, Any]:
    """A label whose target follows what was rewritten, notes of whoever gave it included."""
    target, task = label["target"], label["task"]
    made: dict[str, Any] = rewriter.value({key: value for key, value in label.items() if key not in ("task", "target")})
    if task == "entities" and isinstance(target, list):
        places = edits.get(label.get("message", -1), [])
        return {**made, "task": task, "target": [_span(span, places, rewriter) for span in target]}
    return {**made, "task": task, "target": rewriter.value(target)}


def _span(span: Any, edits: list[Edit], rewriter: Rewriter) -> Any:
    made = rewriter.value(span)
    if not (isinstance(span, dict) and isinstance(span.get("start"), int) and isinstance(span.get("end"), int)):
        return made
    start, end = moved(edits, span["start"], span["end"])
    return {**made, "start": start, "end": end}


def _feedback(feedback: Feedback, rewriter: Rewriter) -> Feedback:
    value = feedback.value
    said = rewriter.text(value) if isinstance(value, str) else value
    return replace(feedback, name=rewriter.text(feedback.name), value=said)


def _outcome(outcome: Outcome | None, rewriter: Rewriter) -> Outcome | None:
    if outcome is None or outcome.reason is None:
        return outcome
    return replace(outcome, reason=rewriter.text(outcome.reason))
