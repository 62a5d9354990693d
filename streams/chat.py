"""OpenAI chat objects, however a client library holds them, as the plain JSON that travels; nothing is changed.

Pure conversions. What is no chat message is left to the checks of `schemas.edge`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

from schemas.depth import quoted
from schemas.errors import InvalidRecord
from schemas.records import Messages, Tools, Usage


@runtime_checkable
class Dumps(Protocol):
    """An object of the openai client: a pydantic model."""

    def model_dump(self, *, mode: str, exclude_unset: bool) -> dict[str, Any]:
        """The fields that the API sent."""
        ...


Chat = Iterable[Mapping[str, Any] | Dumps]
"""Messages as dicts or as objects of the openai client."""


def plain(value: Mapping[str, Any] | Dumps, what: str) -> dict[str, Any]:
    """A copy as plain JSON; of an object only what the API really sent.

    Raises:
        InvalidRecord: neither an object nor a dict.
    """
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Dumps):
        return value.model_dump(mode="json", exclude_unset=True)
    raise InvalidRecord(f"{what}={quoted(value)} is neither a dict nor an object of the openai client")


def messages_of(chat: Chat) -> Messages:
    """The messages, verbatim. Raises `InvalidRecord` as `plain`."""
    return [
        plain(message, f"messages[{index}]") for index, message in enumerate(_listed(chat, "messages", "chat messages"))
    ]


def tools_of(tools: Iterable[Mapping[str, Any] | Dumps] | None) -> Tools | None:
    """The offered tools, or None for unknown. Raises `InvalidRecord` as `plain`."""
    return (
        None
        if tools is None
        else [plain(one, f"tools[{index}]") for index, one in enumerate(_listed(tools, "tools", "definitions"))]
    )


def labels_of(labels: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What annotations say. Raises `InvalidRecord` as `plain`."""
    return [plain(label, f"labels[{index}]") for index, label in enumerate(_listed(labels, "labels", "labels"))]


def _listed(values: Any, what: str, kinds: str) -> Iterable[Any]:
    """The values, one after the other.

    Raises:
        InvalidRecord: no list of any kind, or a single value where several may stand.
    """
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise InvalidRecord(f"{what}={quoted(values)} is no list of {kinds}; wrap it: [...]")
    return values


def usage_of(completion: Mapping[str, Any] | Dumps, *, message: int | None = None, **measured: float | None) -> Usage:
    """What a chat completion says it consumed, for message `message` of the event; absent stays null.

    `measured` takes what the API does not say: `cost_usd`, `latency_ms`.
    """
    raw = plain(completion, "completion")
    used = raw.get("usage") or {}
    return Usage(
        message=message,
        model=raw.get("model"),
        prompt_tokens=used.get("prompt_tokens"),
        completion_tokens=used.get("completion_tokens"),
        cached_tokens=(used.get("prompt_tokens_details") or {}).get("cached_tokens"),
        cost_usd=measured.get("cost_usd"),
        latency_ms=measured.get("latency_ms"),
    )
