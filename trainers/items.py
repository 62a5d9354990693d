"""Items: what a learner reads, cut from an Example or from a line of a labelled data file.

An item's text ends with the last message as it was said, so that spans stay exact; earlier messages go before it,
each with its role. Nothing here tokenises or knows a model.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.errors import InvalidRecord
from schemas.fields import object_of
from schemas.ids import share, stable_id, text_hash
from schemas.labelled import Labelled, labelled_of
from schemas.messages import text_of
from schemas.records import Example, Json, Messages, Split, Task, Tools
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
    return "\n".join(part for part in (text_of(message), *spelled) if part)


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
    of_track = (track.task, track.label_set)
    return [
        _item_of_line(labelled, track, (path.stem, number), stored)
        for number, labelled in labelled_lines(path)
        if (labelled.task, labelled.label_set) == of_track
    ]


def labelled_lines(path: Path) -> Iterator[tuple[int, Labelled]]:
    """The lines of a labelled data file, numbered from 1; empty ones are passed over.

    Raises:
        InvalidItem: `file:line: what`, or a file that cannot be read.
    """
    try:
        with path.open("rb") as lines:
            for number, given in enumerate(lines, start=1):
                line = given.removeprefix(BOM_UTF8) if number == 1 else given
                if line.strip():
                    yield number, _labelled(line, path, number)
    except OSError as error:
        raise InvalidItem(f"{path} cannot be read: {error.strerror}") from error


def _labelled(line: bytes, path: Path, number: int) -> Labelled:
    try:
        return labelled_of(object_of(line), path.stem)
    except InvalidRecord as fault:
        raise InvalidItem(f"{path}:{number}: {fault}") from None


def _item_of_line(labelled: Labelled, track: Track, line_of: tuple[str, int], stored: Stored) -> Item:
    """`line_of` = file's name and line number: what a line without ids is named by, wherever the file lies."""
    task, messages, conversation = labelled.task, labelled.messages, labelled.conversation_id
    text = render(messages, track.turns)
    customer = stored.customer(labelled.customer_id)
    label = "+".join(sorted(set(labels_of(task, labelled.target)))) or NONE if task != "response" else "text"
    return Item(
        id=labelled.id or stable_id(task, *line_of),
        task=task,
        text=text,
        target=labelled.target,
        label=label,
        bucket=f"{task}/{label}",
        conversation_id=conversation or stable_id(*line_of, text),
        customer=customer,
        weight=labelled.weight,
        origin="labelled",
        text_hash=text_hash(text),
        split=labelled.split or split(split_unit(customer, conversation, text_of(messages[-1]))),
        messages=messages,
        tools=labelled.tools,
        stored_hash=stored.words(task, messages, labelled.customer_id),
    )
