"""Where in a customer's words a tool argument's value stands: character spans, found by normal forms, never guessed.

Text matches at word boundaries whatever its case; `basic_economy` is `basic economy`, `#W12` is `W12`. Numbers match by
value (`$1,250` is 1250.0), telephone numbers by their digits, dates by day, month and year. What stands there more than
once, or is too short to mean one thing, is not located.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from string import ascii_letters, digits
from typing import NamedTuple

from schemas.records import Json
from streams.dates import dates_in

MAX_VALUE_CHARS = 60
"""A longer argument is composed by the agent, not said by the customer."""

_UNTELLING = frozenset({"yes", "no", "true", "false", "none", "null", "other", "user", "all", "any", "new", "n/a"})
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_SEPARATORS = re.compile(r"[_\s-]+")
_WORD = frozenset(ascii_letters + digits + "_")
_JOINING = _WORD | {"@"}
"""What makes a longer word of a value when it stands right beside it."""

_NUMERIC = re.compile(r"-?\d+(?:\.\d+)?")
_NUMBER = re.compile(r"(?<![\w#.,-])[$€£]?(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?![\w-]|[.,]\d)")
_DIGIT_RUN = re.compile(r"(?<![\w])[+(]?\d[\d ().-]{5,}\d(?!\w)")


class Place(NamedTuple):
    """Where a value stands, end exclusive."""

    start: int
    end: int


def places(value: Json, text: str) -> list[Place]:
    """Every place of a text that says this value; empty for values that tell nothing."""
    if isinstance(value, bool) or value is None:
        return []
    if isinstance(value, (int, float)):
        return _number_places(float(value), text)
    return _text_places(value.strip(), text) if isinstance(value, str) else []


class Day(NamedTuple):
    """A whole date."""

    year: int
    month: int
    day: int


class _Form(NamedTuple):
    """How a value may be written: words in lower case (separators are one, a leading # may be missing), or as what."""

    words: str
    first: str
    day: Day | None
    number: float | None
    digits: str | None


@lru_cache(maxsize=4096)
def _form(value: str) -> _Form | None:
    """None where a value tells nothing; remembered, because a value is looked for in many texts."""
    words = _words(value)
    if not 2 <= len(value) <= MAX_VALUE_CHARS or value.lower() in _UNTELLING or not words:
        return None
    return _Form(
        words=" ".join(words).lower(),
        first=words[0].lower(),
        day=Day(*map(int, value.split("-"))) if _ISO_DATE.fullmatch(value) else None,
        number=float(value) if len(value) < 7 and _NUMERIC.fullmatch(value) else None,
        digits=_identifying_digits(value),
    )


def may_stand_in(value: Json, lowered: str) -> bool:
    """False where no part of this text, in lower case, says the value: most values of a call are in no turn at all."""
    if not isinstance(value, str):
        return bool(places(value, lowered))
    form = _form(value.strip())
    if form is None:
        return False
    if form.first in lowered or form.day or form.digits:
        return True
    return form.number is not None and bool(_number_places(form.number, lowered))


def _text_places(value: str, text: str) -> list[Place]:
    form = _form(value)
    if form is None:
        return []
    if form.day:
        return [*_date_places(form.day, text)]
    if form.number is not None and (found := _number_places(form.number, text)):
        return found
    if form.first in _lowered(text):
        plain = text.isascii() and value.isascii() and not form.words.startswith("#")
        return [*_plain_places(form.words, text)] if plain else _matches(value, text)
    return _digit_places(form.digits, text) if form.digits else []


def _words(value: str) -> list[str]:
    return [word for word in _SEPARATORS.split(value.removeprefix("#")) if word]


_lowered = lru_cache(maxsize=256)(str.lower)


def _matches(value: str, text: str) -> list[Place]:
    pattern = "[ _-]".join(map(re.escape, _words(value)))
    spelling = re.compile(rf"(?<![\w@])#?{pattern}(?!\w|@|\.\w)", re.IGNORECASE)
    return [Place(*match.span()) for match in spelling.finditer(text)]


def _plain_places(words: str, text: str) -> Iterator[Place]:
    """What `_matches` finds, of ASCII in ASCII: values are ever new, and making a pattern costs more than all else."""
    written, free = _spaced(text), 0
    at = written.find(words)
    while at >= 0:
        end = at + len(words)
        marked = at > free and text[at - 1] == "#" and text[at - 2 : at - 1] not in _JOINING
        if (marked or text[at - 1 : at] not in _JOINING) and _ends(text, end):
            yield Place(at - marked, end)
            free, at = end, end - 1
        at = written.find(words, max(at + 1, free))


def _ends(text: str, end: int) -> bool:
    after = text[end : end + 1]
    return after not in _JOINING and not (after == "." and text[end + 1 : end + 2] in _WORD)


@lru_cache(maxsize=256)
def _spaced(text: str) -> str:
    return text.lower().replace("_", " ").replace("-", " ")


def _number_places(value: float, text: str) -> list[Place]:
    if abs(value) < 10 and value == int(value):
        return []  # one digit counts bags, options and list items alike
    return [place for number, place in _numbers_in(text) if number == value]


@lru_cache(maxsize=256)
def _numbers_in(text: str) -> tuple[tuple[float, Place], ...]:
    found = _NUMBER.finditer(text)
    return tuple((float(match[1].replace(",", "")), Place(*match.span())) for match in found)


def _date_places(day: Day, text: str) -> Iterator[Place]:
    for date in dates_in(text):
        if (date.month, date.day) == (day.month, day.day) and date.year in (None, day.year):
            yield Place(date.start, date.end)


def _identifying_digits(value: str) -> str | None:
    """The digits of a telephone number or the like: seven or more, and nothing beside them but marks."""
    number = re.sub(r"\D", "", value)
    return number if len(number) >= 7 and len(number) == len(re.sub(r"[\s().+-]", "", value)) else None


def _digit_places(number: str, text: str) -> list[Place]:
    runs = _DIGIT_RUN.finditer(text)
    return [Place(*match.span()) for match in runs if re.sub(r"\D", "", match[0]) == number]
