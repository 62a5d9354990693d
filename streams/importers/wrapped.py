"""Agents that wrap every answer in a JSON object: the words that the customer reads, as plain text, nothing left out.

Pure. Unwrapping is a property of an agent, decided on a whole file: one JSON text among plain ones (a tool call
written as words, say) stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from schemas.depth import is_deeper

_WORDS = ("message", "reply", "text", "content")
"""Keys whose value is what the agent says, not what it says it about."""


def wraps(messages: Sequence[Any]) -> bool:
    """Whether most texts of the agent are JSON objects."""
    texts = [
        message["content"]
        for message in messages
        if isinstance(message, Mapping) and message.get("role") == "assistant" and message.get("content")
    ]
    wrapped = sum(_object(text) is not None for text in texts)
    return wrapped > len(texts) / 2


def unwrapped(content: Any) -> Any:
    """The text of a wrapped answer: its own words first, then every other field as `name: value` lines."""
    answer = _object(content)
    if answer is None or "arguments" in answer:
        return content
    spoken = [value for key, value in answer.items() if key in _WORDS and isinstance(value, str)]
    rest = {key: value for key, value in answer.items() if key not in _WORDS or not isinstance(value, str)}
    return "\n\n".join([*spoken, *("\n".join(_lines(_title(key), value, 0)) for key, value in rest.items())])


def _lines(name: str, value: Any, depth: int) -> Iterator[str]:
    indent = "  " * depth
    if isinstance(value, Mapping):
        yield f"{indent}{name}:"
        for key, inner in value.items():
            yield from _lines(_title(key), inner, depth + 1)
    elif isinstance(value, list):
        yield f"{indent}{name}:"
        for inner in value:
            yield from _lines("-", inner, depth + 1) if isinstance(inner, (list, Mapping)) else [_item(inner, depth)]
    else:
        yield f"{indent}{name}: {_scalar(value)}"


def _item(value: Any, depth: int) -> str:
    return f"{'  ' * (depth + 1)}- {_scalar(value)}"


def _scalar(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _title(key: str) -> str:
    return key.replace("_", " ")


def _object(content: Any) -> dict[str, Any] | None:
    if not isinstance(content, str) or not content.lstrip().startswith("{"):
        return None
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) and not is_deeper(value) else None
