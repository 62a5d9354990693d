"""Targets as text and back, so that one causal model can learn any of the five tasks.

Writing and reading are inverse for every valid target; text that is no answer reads as
something that no target equals, so it counts as wrong.
"""

from __future__ import annotations

from typing import Any

import orjson

from schemas.depth import is_deeper
from schemas.records import Json, Messages, Task
from trainers.items import NONE, content_of

_ASKED: dict[Task, str] = {
    "intent": "Name what the customer wants, one of the labels or several joined by ' + ', or none.",
    "entities": "List the entities of the last message as JSON: [{label, text, occurrence}].",
    "tools": "Name the next tool call as JSON {name, arguments}, or none.",
    "safety": "Name the categories that the last message violates, joined by ' + ', or none.",
}


def instructions(task: Task, labels: tuple[str, ...]) -> Messages:
    """The system message that asks for a task; response needs none."""
    if task == "response":
        return []
    listed = f" Labels: {', '.join(labels)}." if labels and task != "tools" else ""
    return [{"role": "system", "content": _ASKED[task] + listed}]


def write_target(task: Task, target: Json, messages: Messages) -> str:
    """A target as the text that a model should say."""
    if task == "response":
        return str(target)
    if task == "tools":
        return NONE if target is None else orjson.dumps(target, option=orjson.OPT_SORT_KEYS).decode()
    if task == "entities":
        return orjson.dumps([_quoted(span, content_of(messages[-1])) for span in target]).decode()
    return target if isinstance(target, str) else " + ".join(sorted(target)) or NONE


def read_target(task: Task, text: str, messages: Messages) -> Json:
    """The target that a model's text says; an unreadable tool call is its text as a name, unreadable spans are None."""
    if task == "response":
        return text
    if task in ("tools", "entities"):
        value = None if text == NONE else _json(text)
        if task == "tools":
            return value if text == NONE or _is_call(value) else {"name": text, "arguments": None}
        return _found(value, content_of(messages[-1])) if isinstance(value, list) else None
    labels = [] if text == NONE else text.split(" + ")
    return labels[0] if task == "intent" and len(labels) == 1 else labels


def _is_call(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("name"), str)


def _json(text: str) -> Any:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return None if is_deeper(value) else value


def _quoted(span: dict[str, Any], text: str) -> dict[str, Any]:
    """A span by its words and how often these came before: models count words better than characters."""
    words = text[span["start"] : span["end"]]
    return {"label": span["label"], "text": words, "occurrence": _starts(text, words).index(span["start"])}


def _found(quotes: list[Any], text: str) -> list[dict[str, Any]]:
    spans = []
    for quote in quotes:
        if isinstance(quote, dict) and isinstance(quote.get("text"), str) and quote["text"]:
            starts = _starts(text, quote["text"])
            place = quote.get("occurrence", 0)
            if isinstance(place, int) and 0 <= place < len(starts):
                start = starts[place]
                spans.append({"start": start, "end": start + len(quote["text"]), "label": str(quote.get("label"))})
    return spans


def _starts(text: str, words: str) -> list[int]:
    return [start for start in range(len(text)) if text.startswith(words, start)]
