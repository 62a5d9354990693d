"""Small sentences of many words: what makes the decoder base wide, where the dialogues of `corpus.toml` make it fluent.

Words come from `lexicon.toml`, early ones more often, as words of a language do; a word once said in a dialogue tends
to come back. Seeded by the caller's chance; nothing of a shop, a customer or a data set is in it.
"""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Protocol

FILE = Path(__file__).parent / "lexicon.toml"

_NAME = re.compile(r"\{(\w+)\}")
_AGAIN = 0.35
"""How often a kind of word is one that the dialogue already used."""
_SYLLABLES = (
    "ba be bo da do fa fi ga go ka ko la le li lo ma mi mo na ne no pa pe ra re ri ro sa se so ta te ti to va vi xi za"
).split()


class Values(Protocol):
    """Where a sentence's values come from: equal through one dialogue."""

    rng: random.Random

    def value(self, name: str) -> str:
        """The dialogue's value of that name."""
        ...


@cache
def _lexicon() -> dict[str, dict[str, list[str]]]:
    raw = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return {
        language: {name: _entries(text) for name, text in parts["words"].items()} for language, parts in raw.items()
    }


def _entries(text: str) -> list[str]:
    """Sentences are parted by `|`, words by commas."""
    return [entry.strip() for entry in text.split("|" if "|" in text else ",") if entry.strip()]


class Talk:
    """One dialogue's wide sentences in one language."""

    def __init__(self, language: str, values: Values) -> None:
        self._words = _lexicon()[language]
        self._values = values
        self._rng = values.rng
        self._said: dict[str, list[str]] = {}

    def turn(self, who: str) -> str:
        """What the customer or the agent says: one to four sentences, an agent's at times with a list of details."""
        count = self._rng.choices((1, 2, 3, 4), (5, 4, 2, 1))[0]
        text = " ".join(self._fill(self._rng.choice(self._words[who])) for _ in range(count))
        return f"{text}\n{self._details()}" if who == "agent" and self._rng.random() < 0.15 else text

    def record(self) -> dict[str, Any]:
        """A tool's result: keys out of words, values of all JSON kinds, nested once or twice."""
        return self._object(2)

    def arguments(self) -> dict[str, Any]:
        """A tool call's arguments: a few keys with plain values."""
        return {self._key(): self._scalar() for _ in range(self._rng.randint(1, 4))}

    def function(self) -> str:
        """A tool's name."""
        verb = self._rng.choice(
            ("get", "find", "list", "search", "create", "update", "modify", "cancel", "send", "check")
        )
        return f"{verb}_{self._key()}"

    def _details(self) -> str:
        """Lines with a label each, numbered, with a dash, bold or bare, as assistants write them."""
        form = self._rng.choice(("- {}: {}", "- **{}**: {}", "{}: {}", "{n}. {}: {}", "{n}. **{}:** {}"))
        lines = range(1, self._rng.randint(3, 6))
        return "\n".join(form.format(self._fill(self._word("label")), self._detail(), n=n) for n in lines)

    def _detail(self) -> str:
        slots = ("money", "date", "number", "name", "digits", "handle", "invented", "adj", "noun", "email", "city")
        return self._fill(f"{{{self._rng.choice(slots)}}}")

    def _object(self, depth: int) -> dict[str, Any]:
        return {self._key(): self._json(depth) for _ in range(self._rng.randint(2, 5))}

    def _json(self, depth: int) -> Any:
        kind = self._rng.choices(("plain", "object", "list"), (7, 2, 1) if depth else (1, 0, 0))[0]
        if kind == "object":
            return self._object(depth - 1)
        if kind == "list":
            one = self._rng.choice((self._scalar, lambda: self._object(0)))
            return [one() for _ in range(self._rng.randint(1, 3))]
        return self._scalar()

    def _scalar(self) -> Any:
        kind = self._rng.choices(("word", "detail", "number", "count", "time", "truth", "none"), (4, 4, 2, 2, 3, 2, 1))[
            0
        ]
        if kind == "word":
            return self._word(self._rng.choice(("adj", "noun")))
        return self._detail() if kind == "detail" else _PLAIN[kind](self._rng)

    def _key(self) -> str:
        noun = re.sub(r"\W+", "_", _lexicon()["en"]["noun"][self._place(_lexicon()["en"]["noun"])])
        return noun + self._rng.choice(("", "", "_id", "s", "_type", "_number", "_status", "_date"))

    def _fill(self, text: str) -> str:
        return _NAME.sub(lambda found: self._slot(found[1]), text)

    def _slot(self, name: str) -> str:
        if name in _FORMS:
            return _FORMS[name](self._word("verb"))
        if name == "Noun":
            noun = self._word("noun")
            return noun[0].upper() + noun[1:]
        if name in _MADE:
            return _MADE[name](self._values)
        return self._fill(self._word(name)) if name in self._words else self._values.value(name)

    def _word(self, kind: str) -> str:
        said = self._said.setdefault(kind, [])
        if said and self._rng.random() < _AGAIN:
            return self._rng.choice(said)
        word = self._words[kind][self._place(self._words[kind])]
        said.append(word)
        return word

    def _place(self, entries: list[str]) -> int:
        return int(len(entries) * self._rng.random() ** 1.5)


def _base(verb: str) -> str:
    return verb.partition("/")[0]


def _past(verb: str) -> str:
    base, *others = verb.split("/")
    return others[0] if others else base + ("d" if base.endswith("e") else "ed")


def _doing(verb: str) -> str:
    base, *others = verb.split("/")
    return others[-1] if others else (base.removesuffix("e") if not base.endswith("ee") else base) + "ing"


def _time(rng: random.Random) -> str:
    day = f"20{rng.randint(19, 29)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
    return rng.choice((day, f"{day}T{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:00"))


_PLAIN: dict[str, Callable[[random.Random], Any]] = {
    "number": lambda rng: round(rng.uniform(1, 900), 2),
    "count": lambda rng: rng.randint(0, 200),
    "time": _time,
    "truth": lambda rng: rng.choice((True, False)),
    "none": lambda _: None,
}
_FORMS: dict[str, Callable[[str], str]] = {"verb": _base, "verbed": _past, "verbing": _doing}


def _invented(values: Values) -> str:
    """A name that no lexicon holds, so that a reader learns to spell."""
    rng = values.rng
    word = "".join(rng.choice(_SYLLABLES) for _ in range(rng.randint(2, 4))) + rng.choice(
        ("", "n", "r", "s", "x", "ck")
    )
    return rng.choice((word.capitalize(), word.capitalize(), word, word.upper()))


def _handle(values: Values) -> str:
    return f"{values.value('name').lower().replace(' ', '_')}_{values.rng.randint(1000, 9999)}"


_MADE: dict[str, Callable[[Values], str]] = {
    "invented": _invented,
    "handle": _handle,
    "digits": lambda values: str(values.rng.randint(1000, 99999)),
}
