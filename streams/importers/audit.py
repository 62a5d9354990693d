"""What an import found, per source file: the figures to compare with the file's own. Pure; unknown stays null."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from schemas.records import ConversationEvent, Usage
from streams.errors import ImportFault
from streams.importers.source import Found

Number = TypeVar("Number", int, float)


@dataclass(slots=True)
class FileAudit:
    """Counts and sums of one file; a sum is over the known values, `..._unknown` counts the others.

    A contact that came before is named in `repeats`, and is in no figure: downstream it is one conversation.
    """

    file: str
    conversations: int = 0
    without_outcome: int = 0
    messages: int = 0
    customers_unknown: int = 0
    rewards: float | None = None
    rewards_unknown: int = 0
    cost_usd: float | None = None
    costs_unknown: int = 0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    tokens_unknown: int = 0
    duration_s: float | None = None
    durations_unknown: int = 0
    faults: list[str] = field(default_factory=list)
    repeats: list[str] = field(default_factory=list)

    def add(self, event: ConversationEvent) -> None:
        """Count one conversation; a record that reports no outcome (SFT) stays out of the reward statistics."""
        total = next((usage for usage in event.usage if usage.message is None), Usage())
        self.conversations += 1
        self.messages += len(event.messages)
        self.customers_unknown += event.customer_id is None
        self._add_reward(event)
        self.cost_usd = _plus(self.cost_usd, total.cost_usd)
        self.costs_unknown += total.cost_usd is None
        self.prompt_tokens = _plus(self.prompt_tokens, total.prompt_tokens)
        self.completion_tokens = _plus(self.completion_tokens, total.completion_tokens)
        self.tokens_unknown += total.prompt_tokens is None
        seconds = None if total.latency_ms is None else total.latency_ms / 1000
        self.duration_s = _plus(self.duration_s, seconds)
        self.durations_unknown += seconds is None

    def _add_reward(self, event: ConversationEvent) -> None:
        if event.outcome is None:
            self.without_outcome += 1
            return
        self.rewards = _plus(self.rewards, event.outcome.reward)
        self.rewards_unknown += event.outcome.reward is None


def audit(file: str, items: Iterable[Found | ImportFault], places: dict[str, str] | None = None) -> FileAudit:
    """The audit of a file's conversations and faults; `places` remembers, across files, where a contact stood first."""
    seen = {} if places is None else places
    found = FileAudit(file)
    for item in items:
        if isinstance(item, ImportFault):
            found.faults.append(str(item))
        elif first := seen.get(item.event.conversation_id):
            found.repeats.append(f"{item.place}: is contact {item.event.conversation_id} again, as in {first}")
        else:
            seen[item.event.conversation_id] = item.place
            found.add(item.event)
    return found


def _plus(total: Number | None, value: Number | None) -> Number | None:
    if value is None:
        return total
    return value if total is None else total + value
