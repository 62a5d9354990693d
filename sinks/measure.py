"""Figures of a conversation as an analyst sums them: cost, tokens, time, outcome; unknown stays null, never 0.

Pure. A usage entry with message null speaks for the whole contact and wins; otherwise a sum counts only if every
model call knows the figure.
"""

from __future__ import annotations

from typing import Any

Datum = dict[str, Any]


def measures(conversation: Datum) -> list[Any]:
    """Values of the made columns of the table `conversations`, in their order."""
    usage, outcome = conversation["usage"], conversation["outcome"] or {}
    totals = [total(usage, name) for name in ("cost_usd", "prompt_tokens", "completion_tokens", "cached_tokens")]
    times = (conversation["started_at"], conversation["ended_at"])
    duration_ms = None if None in times else (times[1] - times[0]) / 1000
    return [
        model(usage),
        outcome.get("success"),
        outcome.get("reward"),
        *totals,
        total(usage, "latency_ms"),
        duration_ms,
    ]


def total(usage: list[Datum], name: str) -> Any:
    """The contact's figure: its own entry where it has one, else the sum over the calls if each knows it."""
    whole = [entry[name] for entry in usage if entry["message"] is None and entry[name] is not None]
    if whole:
        return sum(whole)
    calls = [entry[name] for entry in usage if entry["message"] is not None]
    return sum(calls) if calls and None not in calls else None


def model(usage: list[Datum]) -> str | None:
    """The model that answered, several joined by +; None = not reported."""
    names = sorted({entry["model"] for entry in usage if entry["model"] is not None})
    return "+".join(names) or None
