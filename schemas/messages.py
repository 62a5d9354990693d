"""What a chat message says, for whoever reads one: the streams that judge it, the learners that learn from it."""

from __future__ import annotations

from typing import Any

from schemas.records import Message


def text_of(message: Message) -> str:
    """What a message says: its content, or the text parts of it, one a line."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(part["text"] for part in content if is_text_part(part))
    return ""


def is_text_part(part: Any) -> bool:
    """Whether this part of a message's content is text."""
    return isinstance(part, dict) and isinstance(part.get("text"), str)
