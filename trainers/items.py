"""Items: what a learner reads, cut from an Example or from a line of a labelled data file.

An item's text ends with the last message as it was said, so that spans stay exact; earlier messages go before it,
each with its role. Nothing here tokenises or knows a model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from schemas.edge import check
from schemas.errors import InvalidRecord
from schemas.ids import share, stable_id, text_hash
from schemas.records import TASKS, ConversationEvent, Example, Json, Messages, Split, Task, Tools
from schemas.split import split, split_unit
from trainers.errors import InvalidItem
from trainers.tracks import Track

NONE = "none"
"""The label of an empty target: no tool, out of scope, no violation."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to learn from or to be measured on; `label` names its class, `conversation_id` its cluster.

    `stored_hash` = the hash by which the store would know the words of a file's line, which redaction may change.
    """

    id: str
    task: Task
    text: str
    target: Json
    label: str
    bucket: str
    conversation_id: str
    customer: str | None
    weight: float
    origin: str
    text_hash: str
    split: Split = "train"
    messages: Messages = field(default_factory=list)
    tools: Tools | None = None
    stored_hash: str | None = None

    @property
    def cluster(self) -> str:
        """What is drawn together when an interval is made: items of one conversation are not independent."""
        return self.conversation_id


@dataclass(frozen=True, slots=True)
class Stored:
    """How the store knows customers and words: by a keyed hash, and after redaction."""

    customer: Callable[[str | None], str | None]
    words: Callable[[Task, Messages, str | None], str | None]


AS_SAID = Stored(lambda customer: customer, lambda _task, _messages, _customer: None)
"""Of a file that is compared with no store."""


def render(messages: Messages, turns: int) -> str:
    """The window as text: each message with its role, but a customer's closing message bare.

    Tool calls become `name {arguments}` lines, so that an encoder sees what was done.
    """
    shown = window(messages, turns)
    lines = [f"{message.get('role', 'user')}: {content_of(message)}" for message in shown[:-1]]
    lines += [_closing(message) for message in shown[-1:]]
    return "\n".join(lines)


def window(messages: Messages, turns: int) -> Messages:
    """The last `turns` messages without system ones (what they ask for is learned); never begins with a tool result."""
    said = [message for message in messages if message.get("role") not in ("system", "developer")][-turns:]
    while len(said) > 1 and said[0].get("role") in ("tool", "function"):
        said = said[1:]
    return said


def _closing(message: dict[str, Any]) -> str:
    text = content_of(message)
    return text if message.get("role", "user") == "user" else f"{message['role']}: {text}"


def content_of(message: dict[str, Any]) -> str:
    """A chat message's words: text, text parts joined, tool calls spelled out."""
    calls = [call.get("function", {}) for call in message.get("tool_calls") or ()]
    spelled = [f"{call.get('name')} {call.get('arguments')}" for call in calls]
    return "\n".join(part for part in (_words_of(message), *spelled) if part)


def _words_of(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content)


def choose(items: Sequence[Item], most: int, seed: int) -> list[Item]:
    """At most `most` items, by hash of id and seed, in that order: the same whatever order they come in."""
    return sorted(items, key=lambda item: (share(item.id, str(seed)), item.id))[:most]


def labels_of(task: Task, target: Json) -> tuple[str, ...]:
    """The class labels in a target, none for out of scope, safe or no tool; entities give their kinds, in order."""
    if target is None:
        return ()
    if task == "tools":
        return (str(target["name"]),)
    if task == "entities":
        return tuple(str(span["label"]) for span in target)
    if isinstance(target, list):
        return tuple(sorted({str(label) for label in target}))
    return (str(target),)


def item_of(example: Example, track: Track) -> Item:
    """The item that an example gives to a track."""
    return Item(
        id=example.example_id,
        task=example.task,
        text=render(example.input, track.turns),
        target=example.target,
        label=example.label,
        bucket=example.bucket,
        conversation_id=example.conversation_id,
        customer=example.customer_hash,
        weight=example.weight,
        origin=example.origin,
        text_hash=example.text_hash,
        split=example.split,
        messages=example.input,
        tools=example.tools,
    )


def items_of_file(path: Path, track: Track, stored: Stored = AS_SAID) -> list[Item]:
    """The items of a labelled data file (JSONL; DESIGN.md section 6) that belong to the track's task and label set.

    A line without `label_set` has the file's name; one without `split` stands where an import of it would put it.

    Raises:
        InvalidItem: `file:line: what`, or a file that cannot be read.
    """
    return [item for item in _lines(path, track, stored) if item is not None]


def _lines(path: Path, track: Track, stored: Stored) -> Iterator[Item | None]:
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _item_of_line(line, f"{path}:{number}", track, (path.stem, number), stored)
    except OSError as error:
        raise InvalidItem(f"{path} cannot be read: {error.strerror}") from error


def _item_of_line(line: bytes, where: str, track: Track, line_of: tuple[str, int], stored: Stored) -> Item | None:
    """`line_of` = file's name and line number: what a line without ids is named by, wherever the file lies."""
    raw = _object(line, where)
    if raw.get("task") not in TASKS:
        raise InvalidItem(f"{where}: task={raw.get('task')!r} is not one of {', '.join(TASKS)}")
    if raw["task"] != track.task or label_set_of(raw, line_of[0], where) != track.label_set:
        return None
    if "target" not in raw:
        raise InvalidItem(f"{where}: target is missing; use null or [] for none")
    messages = _messages(raw, where)
    target = raw["target"]
    check_target(track.task, target, content_of(messages[-1]), where)
    text = render(messages, track.turns)
    person, conversation = (_name(raw, key, where) for key in ("customer_id", "conversation_id"))
    customer = stored.customer(person)
    label = "+".join(sorted(set(labels_of(track.task, target)))) or NONE if track.task != "response" else "text"
    return Item(
        id=str(raw.get("id") or stable_id(track.task, *line_of)),
        task=track.task,
        text=text,
        target=target,
        label=label,
        bucket=f"{track.task}/{label}",
        conversation_id=conversation or stable_id(*line_of, text),
        customer=customer,
        weight=_weight(raw, where),
        origin="labelled",
        text_hash=text_hash(text),
        split=_side(raw, where) or split(split_unit(customer, conversation, _words_of(messages[-1]))),
        messages=messages,
        tools=raw.get("tools"),
        stored_hash=stored.words(track.task, messages, person),
    )


def label_set_of(raw: dict[str, Any], default: str, where: str) -> str:
    """The label set of a line, else the file's.

    Raises:
        InvalidItem: it is no text; `where` leads the message.
    """
    value = raw.get("label_set")
    if value is not None and not isinstance(value, str):
        raise InvalidItem(f"{where}: label_set={value!r:.80} is no text; quote it, or leave it out")
    return value or default


def _object(line: bytes, where: str) -> dict[str, Any]:
    try:
        raw = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InvalidItem(f"{where}: no JSON: {error}") from error
    if not isinstance(raw, dict):
        raise InvalidItem(f"{where}: expected an object, got {type(raw).__name__}")
    return raw


def _messages(raw: dict[str, Any], where: str) -> Messages:
    text, messages = raw.get("text"), raw.get("messages")
    if isinstance(text, str):
        return [{"role": "user", "content": text}]
    if isinstance(messages, list) and messages:
        try:
            return check(ConversationEvent("-", "-", "conversation", messages=messages)).messages
        except InvalidRecord as fault:
            raise InvalidItem(f"{where}: {fault}") from None
    raise InvalidItem(f"{where}: give `text`, or `messages` as a list of chat messages; got text={text!r:.80}")


def _name(raw: dict[str, Any], key: str, where: str) -> str | None:
    """A person or contact; an empty one is nobody, not one whom all such lines share."""
    value = raw.get(key)
    if value is not None and not isinstance(value, str):
        raise InvalidItem(f"{where}: {key}={value!r:.80} is no text; quote it, or leave it out")
    return value or None


def _weight(raw: dict[str, Any], where: str) -> float:
    weight = raw.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < float("inf"):
        raise InvalidItem(f"{where}: weight={weight!r} must be a number above 0")
    return float(weight)


def _side(raw: dict[str, Any], where: str) -> Split | None:
    """The side that the line names."""
    given = raw.get("split")
    if given not in (None, "train", "development", "benchmark"):
        raise InvalidItem(f"{where}: split={given!r} is not train, development or benchmark")
    return given


def check_target(task: Task, target: Json, text: str, where: str) -> None:
    """Whether a target has its task's form (DESIGN.md section 6).

    Raises:
        InvalidItem: it has not; `where` leads the message.
    """
    if fault := _target_fault(task, target, text):
        raise InvalidItem(f"{where}: {task} target={target!r:.120} {fault}")


def _target_fault(task: Task, target: Json, text: str) -> str | None:
    strings = isinstance(target, list) and all(isinstance(label, str) for label in target)
    if task == "intent":
        return None if isinstance(target, str) or strings else "is neither a label nor a list of labels"
    if task == "safety":
        return None if strings else "is no list of categories; use [] for safe"
    if task == "response":
        return None if isinstance(target, str) else "is no text"
    if task == "tools":
        named = isinstance(target, dict) and isinstance(target.get("name"), str)
        return None if target is None or named else "is neither null nor an object with a name"
    spans = isinstance(target, list) and all(_is_span(span, len(text)) for span in target)
    return None if spans else f"is no list of spans with 0 <= start < end <= {len(text)} and a label"


def _is_span(span: Any, length: int) -> bool:
    if not isinstance(span, dict) or not isinstance(span.get("label"), str):
        return False
    start, end = span.get("start"), span.get("end")
    return type(start) is int and type(end) is int and 0 <= start < end <= length
