"""What annotations say: the labels of one task, one per message and label set; and how label sets are named.

Where several sources judged the same, the best one stands alone: a person's correction is not mixed with
what it corrects.

A label set is the label space a track selects. Labels bring their own; what the rules derive is named after how it was
derived and the *space* it holds for: the domain in the metadata, else the tenant, else `default`. So one tenant's
production makes `actions:acme`, `arguments:acme`, `replies:acme`, `tools:acme`, `refusals:acme`, and sets never mix.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from schemas.records import Conversation, Json, Task
from streams.transcript import Transcript, Turn

SOURCES = ("person", "teacher", "guardrail", "rule")
"""Whose word stands where two disagree: the first's. Others come last."""

_WHOLE = frozenset({"response", "tools"})
"""Tasks with one answer: of two from one source the later one stands, for it corrects the other."""


@dataclass(frozen=True, slots=True)
class Label:
    """A target that somebody gave to one message, None = to the conversation as a whole."""

    message: int | None
    target: Json
    label_set: str
    source: str


def space(conversation: Conversation) -> str:
    """What derived labels hold for: one domain of one tenant."""
    return conversation.metadata.get("domain") or conversation.tenant or "default"


def labels_of(transcript: Transcript, task: Task) -> Iterator[Label]:
    """The labels of one task, one for each message and label set, a person's first: two may still mean one turn.

    Several of one source on one message are joined where the task allows several; another source's are not.
    """
    found: dict[tuple[int | None, str], Label] = {}
    default = f"{task}:{space(transcript.conversation)}"
    for raw in transcript.conversation.labels:
        if raw["task"] != task:
            continue
        label = _label(raw, default, len(transcript.turns))
        key = (label.message, label.label_set)
        found[key] = _either(found[key], label, task) if key in found else label
    yield from sorted(found.values(), key=_rank)


def _label(raw: dict[str, Any], default: str, n_messages: int) -> Label:
    message = raw.get("message")
    inside = isinstance(message, int) and 0 <= message < n_messages
    source = str(raw.get("source") or "teacher")
    return Label(message if inside else None, raw["target"], str(raw.get("label_set") or default), source)


def faults_of(turn: Turn) -> tuple[str, ...]:
    """Why a label on this turn is no example of a task about the customer's words; empty where it is one."""
    return () if turn.speaker == "customer" else ("not_the_customer",)


def _rank(label: Label) -> int:
    return SOURCES.index(label.source) if label.source in SOURCES else len(SOURCES)


def _either(one: Label, other: Label, task: Task) -> Label:
    """The label of the better source; of the same one both, joined, or the later."""
    if one.source != other.source:
        return min(one, other, key=_rank)
    return other if task in _WHOLE else _join(one, other)


def _join(one: Label, other: Label) -> Label:
    """Two labels of one source as one that holds both."""
    targets = [target for label in (one, other) for target in _as_list(label.target)]
    distinct = [target for i, target in enumerate(targets) if target not in targets[:i]]
    single = len(distinct) == 1 and not isinstance(one.target, list)
    return Label(one.message, distinct[0] if single else distinct, one.label_set, one.source)


def _as_list(target: Json) -> list[Json]:
    return target if isinstance(target, list) else [target]
