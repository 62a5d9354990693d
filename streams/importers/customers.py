"""Who the customer of a tau conversation is, where that is certain: splits go by it.

Pure. Evidence is the task's own statement and every lookup that succeeded; if they name two people, nobody is named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import orjson

from schemas.records import Messages

_USER_ID = re.compile(r"\b[a-z]+_[a-z]+_\d{4}\b")


def ids_in(text: str) -> set[str]:
    """The tau user ids (`mia_li_3668`) that a text mentions."""
    return set(_USER_ID.findall(text))


def customer_of(messages: Messages, stated: set[str]) -> str | None:
    """The one customer whom the task states and all successful lookups show; None if that is not one.

    `stated`: the ids that the task's own text mentions, empty if it mentions none.
    """
    looked_up = set(_looked_up(messages))
    named = stated if len(stated) == 1 else looked_up
    return next(iter(named)) if len(named) == 1 and looked_up <= named else None


def _looked_up(messages: Messages) -> Iterator[str]:
    calls: dict[str, dict[str, str]] = {}
    for message in messages:
        for call in message.get("tool_calls") or ():
            calls[call["id"]] = call["function"]
        if message["role"] == "tool" and not message.get("error"):
            function = calls.get(message.get("tool_call_id") or "")
            yield from _shown_by(function, message.get("content") or "") if function else ()


def _shown_by(function: dict[str, str], content: str) -> Iterator[str]:
    """The customer that a lookup's result shows; a failed lookup returns a text that is neither id nor object."""
    name = function["name"]
    if name.startswith("find_user_id_by_") and _USER_ID.fullmatch(content):
        yield content
    if name not in ("get_user_details", "get_reservation_details", "get_order_details"):
        return
    result = _object(content)
    asked = _object(function["arguments"]).get("user_id") if result else None
    user_id = result.get("user_id", asked)
    if isinstance(user_id, str) and _USER_ID.fullmatch(user_id):
        yield user_id


def _object(text: str) -> dict[str, object]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
