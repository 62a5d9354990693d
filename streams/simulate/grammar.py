"""Templates of what people say: `(a|b)` chooses one, `{slot}` is a value of the scene, `<rule>` a rule of the language.

Pure text: nothing here knows about shops or conversations. The invariant: a span's characters are exactly
the value that its slot had, whatever was written around it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from streams.simulate.errors import BadTemplate

_SPECIAL = frozenset("(|){}<>")


@dataclass(frozen=True, slots=True)
class Span:
    """Characters [start, end) of a text that hold the value of slot `label`."""

    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for a value of the scene."""

    name: str


@dataclass(frozen=True, slots=True)
class Choice:
    """Exactly one of these sequences."""

    options: tuple[Sequence, ...]


Part = str | Slot | Choice
Sequence = tuple[Part, ...]


@dataclass(slots=True)
class Utterance:
    """A text as it grows, and where the slots' values lie in it."""

    pieces: list[str] = field(default_factory=list)
    length: int = 0
    spans: list[Span] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self.pieces)

    def write(self, piece: str) -> None:
        """Append words."""
        self.pieces.append(piece)
        self.length += len(piece)

    def fill(self, name: str, value: str) -> None:
        """Append a slot's value and remember where."""
        self.spans.append(Span(self.length, self.length + len(value), name))
        self.write(value)


def render(sequence: Sequence, values: Mapping[str, str], rng: random.Random, into: Utterance) -> None:
    """Write one of the sequence's surface forms at the end of `into`."""
    for part in sequence:
        if isinstance(part, str):
            into.write(part)
        elif isinstance(part, Slot):
            into.fill(part.name, values[part.name])
        else:
            options = part.options
            render(options[int(rng.random() * len(options))], values, rng, into)


def forms(sequence: Sequence) -> int:
    """How many ways there are to write it, slots counted as one."""
    count = 1
    for part in sequence:
        if isinstance(part, Choice):
            count *= sum(forms(option) for option in part.options)
    return count


def slots(sequence: Sequence) -> set[str]:
    """Names of all slots that any of its forms may use."""
    found: set[str] = set()
    for part in sequence:
        if isinstance(part, Slot):
            found.add(part.name)
        elif isinstance(part, Choice):
            found.update(*(slots(option) for option in part.options))
    return found


def compile_template(template: str, rules: Mapping[str, Choice]) -> Sequence:
    """The parsed template; rules must be compiled before those that use them.

    Raises:
        BadTemplate: unbalanced brackets or an unknown rule.
    """
    parts, end = _sequence(template, 0, rules)
    if end != len(template):
        raise BadTemplate(f"{template!r}: unexpected {template[end]!r} at {end}; escape nothing, balance brackets")
    return parts


def _sequence(template: str, at: int, rules: Mapping[str, Choice]) -> tuple[Sequence, int]:
    parts: list[Part] = []
    while at < len(template) and template[at] not in "|)":
        part, at = _part(template, at, rules)
        parts.append(part)
    return tuple(parts), at


def _part(template: str, at: int, rules: Mapping[str, Choice]) -> tuple[Part, int]:
    opening = template[at]
    if opening == "(":
        return _choice(template, at, rules)
    if opening == "{":
        name, at = _name(template, at, "}")
        return Slot(name), at
    if opening == "<":
        name, at = _name(template, at, ">")
        if name not in rules:
            raise BadTemplate(f"{template!r}: no rule <{name}>; define it above its first use")
        return rules[name], at
    end = at
    while end < len(template) and template[end] not in _SPECIAL:
        end += 1
    if end == at:
        raise BadTemplate(f"{template!r}: unexpected {opening!r} at {at}")
    return template[at:end], end


def _name(template: str, at: int, closing: str) -> tuple[str, int]:
    end = template.find(closing, at)
    if end < 0:
        raise BadTemplate(f"{template!r}: {template[at]!r} at {at} lacks its {closing!r}")
    return template[at + 1 : end], end + 1


def _choice(template: str, at: int, rules: Mapping[str, Choice]) -> tuple[Choice, int]:
    options: list[Sequence] = []
    start = at
    while template[at : at + 1] != ")":
        option, at = _sequence(template, at + 1, rules)
        if at >= len(template):
            raise BadTemplate(f"{template!r}: '(' at {start} lacks its ')'")
        options.append(option)
    return Choice(tuple(options)), at + 1
