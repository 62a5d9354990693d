"""The text that the small decoder is born from: service dialogues of other trades, made by a grammar of its own.

Endless and seeded. It shares no customer, product or phrase book with any shop that adapters are trained for, so an
adapter still has everything particular to learn; what it gives is spelling, turn taking and copying values.
"""

from __future__ import annotations

import json
import random
import re
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from schemas.records import Message, Messages
from trainers.bases.talk import Talk

FILE = Path(__file__).parent / "corpus.toml"
WIDE_SHARE = 0.7
"""Share of dialogues made of wide talk (`talk.py`); the others are phrases of `corpus.toml`."""

_NAME = re.compile(r"\{(\w+)\}")
_FIELDS = ("thing", "state", "date", "money", "people", "ticket", "number", "city")


def dialogues(seed: int) -> Iterator[Messages]:
    """Chats in OpenAI form without end; English is half of them."""
    rng = random.Random(f"decoder-corpus:{seed}")
    while True:
        yield _dialogue(_Speaker(rng.choice(("en", "en", "de", "es")), rng))


@cache
def _grammar() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


class _Speaker:
    """One dialogue's words: values stay as first drawn, phrases vary."""

    def __init__(self, language: str, rng: random.Random) -> None:
        self.language = language
        self.rng = rng
        self._phrases: dict[str, list[str]] = _grammar()[language]["phrases"]
        self._values: dict[str, list[str]] = _grammar()[language]["values"]
        self._drawn: dict[str, str] = {}

    def say(self, name: str) -> str:
        """A phrase with everything in it filled in."""
        text = _NAME.sub(lambda found: self._fill(found[1]), self.rng.choice(self._phrases[name]))
        return text.strip()

    def value(self, name: str) -> str:
        """The dialogue's value of that name."""
        if name not in self._drawn:
            maker = _MAKERS.get(name)
            self._drawn[name] = maker(self) if maker else self.rng.choice(self._values[name])
        return self._drawn[name]

    def _fill(self, name: str) -> str:
        return self.say(name) if name in self._phrases else self.value(name)


def _email(speaker: _Speaker) -> str:
    local = speaker.value("name").lower().replace(" ", speaker.rng.choice((".", "", "_")))
    return f"{local.encode('ascii', 'ignore').decode()}@{speaker.rng.choice(('example.net', 'example.com'))}"


def _capitals(speaker: _Speaker, letters: int) -> str:
    return "".join(speaker.rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=letters))


def _money(speaker: _Speaker) -> str:
    amount = f"{speaker.rng.randint(3, 400)}.{speaker.rng.choice((0, 50, 90, 95, 99)):02}"
    return speaker.rng.choice((f"£{amount}", f"${amount}", f"{amount.replace('.', ',')} €"))


_MAKERS: dict[str, Callable[[_Speaker], str]] = {
    "number": lambda s: f"{_capitals(s, 2)}{s.rng.choice(('-', '', ''))}{s.rng.randint(1000, 999999)}",
    "ticket": lambda s: f"{_capitals(s, 1)}-{s.rng.randint(1000, 99999)}",
    "code": lambda s: f"{_capitals(s, s.rng.randint(4, 9))}{s.rng.randint(5, 50)}",
    "date": lambda s: s.rng.choice(("{d} {m}", "{m} {d}", "{d}. {m}", "{d} de {m}")).format(
        d=s.rng.randint(1, 28), m=s.value("month")
    ),
    "money": _money,
    "email": _email,
    "phone": lambda s: f"+{s.rng.choice((44, 49, 34, 1))} {s.rng.randint(100, 999)} {s.rng.randint(100000, 999999)}",
    "people": lambda s: str(s.rng.randint(2, 14)),
}


def _dialogue(speaker: _Speaker) -> Messages:
    """A dialogue of phrases or of wide talk; each has its lookups."""
    return _wide(speaker) if speaker.rng.random() < WIDE_SHARE else _fluent(speaker)


def _fluent(speaker: _Speaker) -> Messages:
    """System note or none, request, question and detail or none, lookup or none, answer, thanks or none."""
    rng = speaker.rng
    chat: Messages = []
    if rng.random() < 0.2:
        chat.append(_said("system", f"{speaker.say('note')} {speaker.say('note')}"))
    greeting = speaker.say("hello")
    request = speaker.say("request")
    chat.append(_said("user", f"{greeting}, {request}" if greeting and rng.random() < 0.5 else request))
    if rng.random() < 0.45:
        chat += [_said("assistant", speaker.say("ask")), _said("user", speaker.say("give"))]
    if rng.random() < 0.6:
        chat += _lookup(speaker)
    chat.append(_said("assistant", speaker.say("answer" if rng.random() < 0.85 else "fail")))
    if rng.random() < 0.5:
        chat += [
            _said("user", speaker.say("thanks")),
            _said("assistant", f"{speaker.say('sure')}! {speaker.say('bye')}"),
        ]
    return chat


def _wide(speaker: _Speaker) -> Messages:
    """One to four exchanges, some with a tool call between question and answer."""
    talk = Talk(speaker.language, speaker)
    chat: Messages = []
    for _ in range(speaker.rng.randint(1, 4)):
        chat.append(_said("user", talk.turn("customer")))
        if speaker.rng.random() < 0.4:
            chat += _called(speaker.rng, talk.function(), talk.arguments(), talk.record())
        chat.append(_said("assistant", talk.turn("agent")))
    return chat


def _lookup(speaker: _Speaker) -> Messages:
    verb = speaker.rng.choice(("get", "find", "cancel", "create", "check", "send", "update", "register"))
    noun = speaker.rng.choice(("booking", "order", "ticket", "invoice", "account", "item", "payment", "case"))
    result = {field: speaker.value(field) for field in speaker.rng.sample(_FIELDS, speaker.rng.randint(2, 5))}
    return _called(speaker.rng, f"{verb}_{noun}", {"number": speaker.value("number")}, result)


def _called(rng: random.Random, name: str, arguments: dict[str, Any], result: dict[str, Any]) -> Messages:
    dumps = rng.choice((_tight, json.dumps))  # services write JSON with blanks after the separators, or without
    function = {"name": name, "arguments": dumps(arguments)}
    return [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "call_1", "name": name, "content": dumps(result)},
    ]


def _tight(value: dict[str, Any]) -> str:
    return orjson.dumps(value).decode()


def _said(role: str, text: str) -> Message:
    return {"role": role, "content": text.strip()}
