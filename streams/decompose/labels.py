"""What annotations say: the labels of one task, merged per message and label set; and how label sets are named.

A label set is the label space a track selects. Labels bring their own; what the rules derive is named after how it was
derived and the *space* it holds for: the domain in the metadata, else the tenant, else `default`. So one tenant's
production makes `actions:acme`, `arguments:acme`, `replies:acme`, `tools:acme`, `refusals:acme`, and sets never mix.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from schemas.records import Conversation, Json, Task
from streams.transcript import Transcript

SOURCES = frozenset({"teacher", "person", "guardrail", "rule"})


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
    """The labels of one task, one for each message and label set: several on one message are joined."""
    found: dict[tuple[int | None, str], Label] = {}
    default = f"{task}:{space(transcript.conversation)}"
    for raw in transcript.conversation.labels:
        if raw["task"] != task:
            continue
        label = _label(raw, default, len(transcript.turns))
        earlier = found.get((label.message, label.label_set))
        found[label.message, label.label_set] = label if earlier is None else _join(earlier, label)
    yield from found.values()


def _label(raw: dict[str, Any], default: str, n_messages: int) -> Label:
    message = raw.get("message")
    inside = isinstance(message, int) and 0 <= message < n_messages
    source = str(raw.get("source") or "teacher")
    return Label(message if inside else None, raw["target"], str(raw.get("label_set") or default), source)


def _join(one: Label, other: Label) -> Label:
    """Two labels as one that holds both; a person's word makes the whole a person's."""
    source = "person" if "person" in (one.source, other.source) else one.source
    targets = [target for label in (one, other) for target in _as_list(label.target)]
    distinct = [target for i, target in enumerate(targets) if target not in targets[:i]]
    single = len(distinct) == 1 and not isinstance(one.target, list)
    return Label(one.message, distinct[0] if single else distinct, one.label_set, source)


def _as_list(target: Json) -> list[Json]:
    return target if isinstance(target, list) else [target]
