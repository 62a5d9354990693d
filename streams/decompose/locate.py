"""Where in a customer's words a tool argument's value stands: character spans, found by normal forms, never guessed.

Text matches at word boundaries whatever its case; `basic_economy` is `basic economy`, `#W12` is `W12`. Numbers match by
value (`$1,250` is 1250.0), telephone numbers by their digits, dates by day, month and year. What stands there more than
once, or is too short to mean one thing, is not located.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from schemas.records import Json
from streams.dates import dates_in

MAX_VALUE_CHARS = 60
"""A longer argument is composed by the agent, not said by the customer."""

_UNTELLING = frozenset({"yes", "no", "true", "false", "none", "null", "other", "user", "all", "any", "new", "n/a"})
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
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


def _text_places(value: str, text: str) -> list[Place]:
    if not 2 <= len(value) <= MAX_VALUE_CHARS or value.lower() in _UNTELLING or not _words(value):
        return []
    if _ISO_DATE.fullmatch(value):
        return [*_date_places(value, text)]
    if _NUMERIC.fullmatch(value) and len(value) < 7 and (found := _number_places(float(value), text)):
        return found
    first, pattern = _spelling(value)
    if first in _lowered(text):
        return [Place(*match.span()) for match in pattern.finditer(text)]
    return _digit_places(value, text)


_lowered = lru_cache(maxsize=256)(str.lower)


@lru_cache(maxsize=4096)
def _spelling(value: str) -> tuple[str, re.Pattern[str]]:
    """How a value may be written (separators are one, a leading # may be missing), and its first word in lower case."""
    words = _words(value)
    pattern = "[ _-]".join(map(re.escape, words))
    return words[0].lower(), re.compile(rf"(?<![\w@])#?{pattern}(?!\w|@|\.\w)", re.IGNORECASE)


def _words(value: str) -> list[str]:
    return [word for word in re.split(r"[_\s-]+", value.removeprefix("#")) if word]


def _number_places(value: float, text: str) -> list[Place]:
    if abs(value) < 10 and value == int(value):
        return []  # one digit counts bags, options and list items alike
    return [place for number, place in _numbers_in(text) if number == value]


@lru_cache(maxsize=256)
def _numbers_in(text: str) -> tuple[tuple[float, Place], ...]:
    found = _NUMBER.finditer(text)
    return tuple((float(match[1].replace(",", "")), Place(*match.span())) for match in found)


def _date_places(value: str, text: str) -> Iterator[Place]:
    year, month, day = map(int, value.split("-"))
    for date in dates_in(text):
        if (date.month, date.day) == (month, day) and date.year in (None, year):
            yield Place(date.start, date.end)


def _digit_places(value: str, text: str) -> list[Place]:
    digits = re.sub(r"\D", "", value)
    if len(digits) < 7 or len(digits) < len(re.sub(r"[\s().+-]", "", value)):
        return []
    runs = _DIGIT_RUN.finditer(text)
    return [Place(*match.span()) for match in runs if re.sub(r"\D", "", match[0]) == digits]
