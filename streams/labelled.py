"""Labelled data files: one line is one example of one task, with a target that somebody gave it (DESIGN.md section 6).

Pure. A line is checked, redacted like any conversation (spans follow the words), put into its bucket and on its side of
the split. Its provenance is the file: what was read, how, and which line; reading it again makes the same records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from schemas import edge
from schemas.errors import InvalidRecord
from schemas.ids import content_hash, stable_id
from schemas.records import (
    TASKS,
    Conversation,
    ConversationEvent,
    Example,
    Json,
    Messages,
    Provenance,
    Split,
    Task,
    Tools,
)
from schemas.split import BENCHMARK_SHARE, DEVELOPMENT_SHARE, split, split_unit
from streams.bucket import bucket_name, difficulty, input_hash, version
from streams.importers.fields import Malformed, number, optional
from streams.language import detect
from streams.messages import text_of
from streams.partition import partition_of
from streams.redact import redact
from streams.settings import RedactSettings
from streams.values import Draft

DECOMPOSER = "labelled-2"
SPLITS: tuple[Split, ...] = ("train", "development", "benchmark")
_FIELDS = frozenset(
    "task label_set id text messages tools target split conversation_id customer_id weight tenant".split()
)
_NOWHERE = Provenance("file", "labels", 0, 0)


@dataclass(frozen=True, slots=True)
class Labelled:
    """One labelled line; `messages` ends with the one that the target is about."""

    task: Task
    label_set: str
    id: str
    messages: Messages
    target: Json
    tools: Tools | None = None
    split: Split | None = None
    conversation_id: str | None = None
    customer_id: str | None = None
    tenant: str | None = None
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class LabelledSettings:
    """How labelled lines become examples; the shares apply where neither line nor `split` names a side.

    `label_set` and `split`, where given, override what the lines say.
    """

    redact: RedactSettings
    partitions: int
    label_set: str | None = None
    split: Split | None = None
    development_share: float = DEVELOPMENT_SHARE
    benchmark_share: float = BENCHMARK_SHARE


def labelled_of(raw: Mapping[str, Any], default_set: str) -> Labelled:
    """The checked value of one JSON object.

    Raises:
        Malformed: a field is missing, unknown or wrong; quotes it.
    """
    if unknown := sorted(raw.keys() - _FIELDS):
        raise Malformed(f"has no use for {', '.join(map(repr, unknown))}; it knows {sorted(_FIELDS)}")
    task = raw.get("task")
    if task not in TASKS:
        raise Malformed(f"task={task!r} is not one of {', '.join(TASKS)}")
    side = optional(raw, "split", str)
    if side not in (None, *SPLITS):
        raise Malformed(f"split={side!r} is not one of {', '.join(SPLITS)}")
    messages = _messages(raw)
    if "target" not in raw:
        raise Malformed("lacks 'target'; write null or [] for none")
    _check_target(task, raw["target"], text_of(messages[-1]))
    weight = number(raw, "weight")
    if weight is not None and weight <= 0:
        raise Malformed(f"weight={weight} is not above 0; leave the line out, or give its share")
    own = raw.get("id")
    return Labelled(
        task=task,
        label_set=optional(raw, "label_set", str) or default_set,
        id=content_hash([messages, raw["target"]])[:32] if own is None else str(own),
        messages=messages,
        target=raw["target"],
        tools=optional(raw, "tools", list),
        split=side,
        conversation_id=optional(raw, "conversation_id", str),
        customer_id=optional(raw, "customer_id", str),
        tenant=optional(raw, "tenant", str),
        weight=1.0 if weight is None else weight,
    )


def _messages(raw: Mapping[str, Any]) -> Messages:
    text, messages = optional(raw, "text", str), optional(raw, "messages", list)
    if (text is None) == (messages is None):
        raise Malformed("needs either 'text' or 'messages'")
    found: Messages = [{"role": "user", "content": text}] if messages is None else messages
    try:
        edge.check(ConversationEvent("-", "-", "conversation", messages=found))
    except InvalidRecord as error:
        raise Malformed(str(error)) from None
    if not any(text_of(message).strip() for message in found):
        raise Malformed("holds no words; give it a text")
    return found


def _check_target(task: Task, target: Json, text: str) -> None:
    if task == "entities":
        _check_spans(target, text)
    elif task == "intent" and not (_is_label(target) or _is_labels(target)):
        raise Malformed(f"target={target!r:.80} of intent is neither a label nor a list of labels")
    elif task == "safety" and not _is_labels(target):
        raise Malformed(f"target={target!r:.80} of safety is no list of categories; [] = safe")
    elif task == "response" and not isinstance(target, str):
        raise Malformed(f"target={target!r:.80} of response is no text")
    elif task == "tools" and target is not None and not _is_call(target):
        raise Malformed(f"target={target!r:.80} of tools is neither null nor {{'name', 'arguments'}}")


def _check_spans(target: Json, text: str) -> None:
    if not isinstance(target, list):
        raise Malformed(f"target={target!r:.80} of entities is no list of spans")
    for span in target:
        start, end = (span.get("start"), span.get("end")) if isinstance(span, dict) else (None, None)
        if not (type(start) is int and type(end) is int and isinstance(span.get("label"), str)):
            raise Malformed(f"span {span!r:.80} lacks start, end or label")
        if not 0 <= start < end <= len(text):
            raise Malformed(f"span {span!r:.80} lies outside the text of {len(text)} characters")


def _is_labels(target: Json) -> bool:
    return isinstance(target, list) and all(map(_is_label, target))


def _is_label(target: Json) -> bool:
    return isinstance(target, str) and bool(target.strip())


def _is_call(target: Json) -> bool:
    return (
        isinstance(target, dict)
        and isinstance(target.get("name"), str)
        and isinstance(target.get("arguments", {}), dict)
    )


def example_of(labelled: Labelled, source: str, line: int, settings: LabelledSettings) -> Example:
    """The redacted, admitted example of a labelled line; `source` is the file's hash, `line` counts from 1."""
    label_set = settings.label_set or labelled.label_set
    conversation_id = labelled.conversation_id or f"{label_set}/{labelled.id}"
    redacted = _redacted(labelled, conversation_id, settings.redact)
    context, target = redacted.messages, redacted.labels[0]["target"]
    text = text_of(context[-1])
    hardness, label = difficulty(labelled.task, context, target), bucket_label(labelled.task, target)
    language = detect(text)
    turn = len(context) - 1
    # The customer as production knows them, by the keyed hash: one person's lines and conversations are on one side, of
    # one key. Else the words as they were said, without the surrogates, so that a text's side depends on no key.
    unit = split_unit(redacted.customer_hash, labelled.conversation_id, text_of(labelled.messages[-1]))
    side = settings.split or labelled.split or split(unit, settings.development_share, settings.benchmark_share)
    return Example(
        example_id=stable_id(conversation_id, labelled.id, turn, labelled.task, label_set),
        task=labelled.task,
        conversation_id=redacted.conversation_id,
        revision=1,
        turn=turn,
        provenance=Provenance(
            "file", f"labels:{source}", partition_of(redacted.conversation_id.encode(), settings.partitions), line
        ),
        input=context,
        target=target,
        label_set=label_set,
        label_source="file",
        label=label,
        difficulty=hardness,
        language=language,
        origin="labelled",
        bucket=bucket_name(labelled.task, label, hardness, language, "labelled"),
        split=side,
        admitted=True,
        reasons=("labelled_file",),
        decomposer=version(DECOMPOSER),
        text_hash=input_hash(labelled.task, context),
        weight=labelled.weight,
        tenant=redacted.tenant,
        customer_hash=redacted.customer_hash,
        tools=redacted.tools,
    )


def _redacted(labelled: Labelled, conversation_id: str, settings: RedactSettings) -> Conversation:
    """The line as a conversation whose one label is the target: redaction knows how to move both."""
    label = {"task": labelled.task, "message": len(labelled.messages) - 1, "target": labelled.target}
    draft = Draft(
        conversation_id=conversation_id,
        revision=1,
        provenance=_NOWHERE,
        messages=labelled.messages,
        closed_by="conversation",
        events=1,
        tenant=labelled.tenant,
        customer_id=labelled.customer_id,
        tools=labelled.tools,
        labels=[label],
    )
    return redact(draft, settings)


def bucket_label(task: Task, target: Json) -> str:
    """The label that a target has in its bucket."""
    if task == "response":
        return "reply"
    if task == "tools":
        return "none" if target is None else str(target["name"])
    if task == "entities":
        return "+".join(sorted({str(span["label"]) for span in target})) or "none"
    if isinstance(target, str):
        return target
    return "+".join(sorted(target)) or ("safe" if task == "safety" else "out_of_scope")


def chained(example: Example, previous: dict[int, int]) -> Example:
    """The example with the line before it in its partition; `previous` holds the last line of each, and moves on."""
    at = example.provenance
    made = replace(example, provenance=replace(at, previous_offset=previous.get(at.partition)))
    previous[at.partition] = at.offset
    return made
