"""Labelled data: one line is one example of one task, with a target that somebody gave it (DESIGN.md section 6).

Pure. What is imported, held out as a benchmark or trained on directly is read by these rules alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from schemas import edge
from schemas.errors import InvalidRecord
from schemas.fields import number, optional, refuse_unknown
from schemas.messages import text_of
from schemas.records import TASKS, ConversationEvent, Json, Messages, Split, Task, Tools

SPLITS: tuple[Split, ...] = get_args(Split)
_FIELDS = frozenset(
    "task label_set id text messages tools target split conversation_id customer_id weight tenant".split()
)


@dataclass(frozen=True, slots=True)
class Labelled:
    """One labelled line; `messages` ends with the one that the target is about. None = the line does not say."""

    task: Task
    label_set: str
    messages: Messages
    target: Json
    id: str | None = None
    tools: Tools | None = None
    split: Split | None = None
    conversation_id: str | None = None
    customer_id: str | None = None
    tenant: str | None = None
    weight: float = 1.0


def labelled_of(raw: Mapping[str, Any], default_set: str) -> Labelled:
    """The checked value of one JSON object; empty names and ids are none.

    Raises:
        InvalidRecord: a field is missing, unknown or wrong; quotes it.
    """
    refuse_unknown(raw, _FIELDS, "a labelled line")
    task = raw.get("task")
    if task not in TASKS:
        raise InvalidRecord(f"task={task!r:.80} is not one of {', '.join(TASKS)}")
    side = optional(raw, "split", str)
    if side not in (None, *SPLITS):
        raise InvalidRecord(f"split={side!r:.80} is not one of {', '.join(SPLITS)}")
    messages = _messages(raw)
    if "target" not in raw:
        raise InvalidRecord("lacks 'target'; write null or [] for none")
    check_target(task, raw["target"], text_of(messages[-1]))
    own = raw.get("id")
    return Labelled(
        task=task,
        label_set=optional(raw, "label_set", str) or default_set,
        messages=messages,
        target=raw["target"],
        id=None if own in (None, "") else str(own),
        tools=optional(raw, "tools", list),
        split=side,
        conversation_id=optional(raw, "conversation_id", str) or None,
        customer_id=optional(raw, "customer_id", str) or None,
        tenant=optional(raw, "tenant", str),
        weight=_weight(raw),
    )


def _messages(raw: Mapping[str, Any]) -> Messages:
    text, messages = optional(raw, "text", str), optional(raw, "messages", list)
    if (text is None) == (messages is None):
        raise InvalidRecord("needs either 'text' or 'messages'")
    found: Messages = [{"role": "user", "content": text}] if messages is None else messages
    edge.check(ConversationEvent("-", "-", "conversation", messages=found))
    if not any(text_of(message).strip() for message in found):
        raise InvalidRecord("holds no words; give it a text")
    return found


def _weight(raw: Mapping[str, Any]) -> float:
    weight = number(raw, "weight")
    if weight is not None and weight <= 0:
        raise InvalidRecord(f"weight={weight} is not above 0; leave the line out, or give its share")
    return 1.0 if weight is None else weight


def check_target(task: Task, target: Json, text: str) -> None:
    """Whether a target has its task's form; `text` = the words that spans count in.

    Raises:
        InvalidRecord: it has not; quotes it.
    """
    if task == "entities":
        _check_spans(target, text)
    elif task == "intent" and not (_is_label(target) or _is_labels(target)):
        raise InvalidRecord(f"target={target!r:.80} of intent is neither a label nor a list of labels")
    elif task == "safety" and not _is_labels(target):
        raise InvalidRecord(f"target={target!r:.80} of safety is no list of categories; [] = safe")
    elif task == "response" and not isinstance(target, str):
        raise InvalidRecord(f"target={target!r:.80} of response is no text")
    elif task == "tools" and target is not None and not _is_call(target):
        raise InvalidRecord(f"target={target!r:.80} of tools is neither null nor {{'name', 'arguments'}}")


def _check_spans(target: Json, text: str) -> None:
    if not isinstance(target, list):
        raise InvalidRecord(f"target={target!r:.80} of entities is no list of spans")
    for span in target:
        start, end = (span.get("start"), span.get("end")) if isinstance(span, dict) else (None, None)
        if not (type(start) is int and type(end) is int and _is_label(span.get("label"))):
            raise InvalidRecord(f"span {span!r:.80} lacks start, end or label")
        if not 0 <= start < end <= len(text):
            raise InvalidRecord(f"span {span!r:.80} lies outside the text of {len(text)} characters")


def _is_labels(target: Json) -> bool:
    return isinstance(target, list) and all(map(_is_label, target))


def _is_label(target: Json) -> bool:
    return isinstance(target, str) and bool(target.strip())


def _is_call(target: Json) -> bool:
    return isinstance(target, dict) and _is_label(target.get("name")) and isinstance(target.get("arguments", {}), dict)
