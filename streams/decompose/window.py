"""The context of an example: the last turns that fit a token budget, never the whole prefix, never the system prompt.

The last message is what is judged or answered and is always whole when a customer or agent wrote it; long tool results
are clipped. A token is counted as four characters, which over-counts English and keeps the step free of a tokenizer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from schemas.records import Message, Messages
from streams.transcript import Transcript, Turn

CHARS_PER_TOKEN = 4
MAX_RESULT_CHARS = 600
"""Where a tool result is clipped: the head of a JSON answer names what was found."""


@dataclass(slots=True)
class Windows:
    """Cuts windows out of one transcript and keeps each message's short form for the next one."""

    transcript: Transcript
    _short: dict[int, Message] = field(default_factory=dict)
    _costs: dict[int, int] = field(default_factory=dict)
    _spoken: dict[int, Message | None] = field(default_factory=dict)

    def words(self, end: int, max_tokens: int) -> Messages:
        """What customer and agent said before message `end`, without tools."""
        room = max_tokens * CHARS_PER_TOKEN
        chosen: Messages = []
        for index in range(end - 1, -1, -1):
            if (message := self._words_of(index)) is None:
                continue
            room -= len(message["content"])
            if room < 0 and chosen:
                break
            chosen.append(message)
        chosen.reverse()
        return chosen

    def judged(self, turn: Turn, max_tokens: int) -> Messages:
        """A judged turn, always last, after the words before it; one of a tool or of the system is clipped."""
        if turn.speaker in ("customer", "agent"):
            return self.words(turn.index + 1, max_tokens)
        last: Message = {"role": turn.message["role"], "content": _clip(turn.text)}
        return [*self.words(turn.index, max_tokens - len(last["content"]) // CHARS_PER_TOKEN), last]

    def all(self, end: int, max_tokens: int) -> Messages:
        """Everything before message `end`, tool calls and results included; never begins with a result."""
        room = max_tokens * CHARS_PER_TOKEN
        start = end
        for index in range(end - 1, -1, -1):
            turn = self.transcript.turns[index]
            if turn.speaker == "system":
                break
            room -= self._cost_of(turn)
            if room < 0 and start < end:
                break
            start = index
        while start < end - 1 and self.transcript.turns[start].speaker == "tool":
            start += 1
        return [self._short_of(self.transcript.turns[index]) for index in range(start, end)]

    def _words_of(self, index: int) -> Message | None:
        if index not in self._spoken:
            turn = self.transcript.turns[index]
            says = turn.speaker in ("customer", "agent") and turn.text
            self._spoken[index] = {"role": turn.message["role"], "content": turn.text} if says else None
        return self._spoken[index]

    def _cost_of(self, turn: Turn) -> int:
        if turn.index not in self._costs:
            self._costs[turn.index] = _cost(turn)
        return self._costs[turn.index]

    def _short_of(self, turn: Turn) -> Message:
        if turn.index not in self._short:
            self._short[turn.index] = _shorten(turn)
        return self._short[turn.index]


def _cost(turn: Turn) -> int:
    calls = sum(len(call.raw) + len(call.name) for call in turn.calls) if turn.calls else 0
    return calls + (min(len(turn.text), MAX_RESULT_CHARS) if turn.speaker == "tool" else len(turn.text))


def _shorten(turn: Turn) -> Message:
    message = turn.message
    if turn.speaker == "tool":
        return {"role": "tool", "tool_call_id": message.get("tool_call_id"), "content": _clip(turn.text)}
    short: dict[str, Any] = {"role": message["role"], "content": turn.text or None}
    if turn.calls:
        short["tool_calls"] = [
            {"id": call.get("id"), "type": "function", "function": {"name": parsed.name, "arguments": parsed.raw}}
            for call, parsed in zip(message["tool_calls"], turn.calls, strict=True)
        ]
    return short


def _clip(text: str) -> str:
    return text if len(text) <= MAX_RESULT_CHARS else text[: MAX_RESULT_CHARS - 1] + "…"
