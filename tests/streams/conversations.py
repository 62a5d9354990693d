"""Small conversations for tests of the steps behind assembly."""

from __future__ import annotations

import json
from typing import Any

from schemas.records import Conversation, Provenance

ROOT = Provenance("k1", "conversation.events", 2, 41)


def conversation(*messages: dict[str, Any], **fields: Any) -> Conversation:
    """A redacted conversation of these messages."""
    return Conversation("c1", 1, ROOT, list(messages), "closed", 1, "patterns-1", **fields)


def customer(text: str, **fields: Any) -> dict[str, Any]:
    """A customer's message."""
    return {"role": "user", "content": text, **fields}


def agent(text: str | None, **calls: dict[str, Any]) -> dict[str, Any]:
    """An agent's message, with tool calls by name."""
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = [
            {"id": name, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
            for name, arguments in calls.items()
        ]
    return message


def result(name: str, text: str) -> dict[str, Any]:
    """A tool's answer to the last call of this name."""
    return {"role": "tool", "tool_call_id": name, "content": text}


SHOPPING = (
    {"role": "system", "content": "You are a helpful agent. " * 50},
    customer("Hello there"),
    agent("Hi! How can I help?"),
    customer("I want to cancel my order #W2378156 of May 20th please"),
    agent(None, get_order={"order_id": "#W2378156", "date": "2024-05-20"}),
    result("get_order", '{"status": "pending"}'),
    agent("It is pending, total $1,250. Shall I cancel it?"),
    customer("Yes, please do so now."),
    agent(None, cancel_order={"order_id": "#W2378156", "amount": 1250.0}),
    result("cancel_order", "ok"),
    agent("Done, your order is cancelled."),
    customer("Thank you, bye!"),
)
