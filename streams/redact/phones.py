"""Telephone numbers in a text, by their form or a telling word, and the dates and counts that look like them. Pure."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import lru_cache
from operator import attrgetter

from streams.dates import Date, dates_in, numeric_dates_in

_FORM = re.compile(
    r"(?<![\w#.-])(?:"
    r"\+\d{1,3}[ .()/-]*\d(?:[ .()/-]{0,2}\d){6,12}"  # +49 (0)30 1234567
    r"|(?:\+?1[ .-]?|001[ .-]?)?\(\d{3}\)[ .-]?\d{3}[ .-]?\d{4}"  # (415) 555-0100
    r"|(?:\+?1[ .-]|001[ .-])?\d{3}([ .-])\d{3}\1\d{4}"  # 415-555-0100
    r"|(?P<national>0\d{1,4}(?:[ /-]\d{2,8}){1,4}"  # 030 1234567
    r"|\(0?\d{1,4}\)[ /-]?\d{2,8}(?:[ -]\d{2,6})*)"
    r")(?:x\d{1,6})?(?!\w|-\d)"
)
_WORD = re.compile(
    r"\b(?:phone|mobile|cell|telephone|telefon\w*|handy\w*|tel[ée]fono|m[óo]vil|tel)\b[^\d\n+(]{0,25}"
    r"([+(]?\d(?:[ .()/-]{0,2}\d){5,14})(?!\w)"
    r"|\b(?:call|answering at|(?:reach|call) (?:me|us|him|her|them) (?:at|on))\s+"
    r"([+(]?\d(?:[ .()/-]{0,2}\d){5,14})(?!\w)"
    r"|(?<![\w#.-])([+(]?\d(?:[ .()/-]{0,2}\d){5,14})[ -]{1,2}(?:office|fax|mobile|cell|phone)\b",
    re.IGNORECASE,
)
_GOES_ON = re.compile(r"[./-]?\d")
"""Behind what looks like a date: more of a number, as in `02.27.96.63.08`."""

_DIGITS = re.compile(r"\d+")
_LONGEST_DATE = 64
"""More characters than a date has."""

_START = attrgetter("start")

_FEWEST = 7
"""Digits of a number that its form alone gives away."""

_FEWEST_SAID = 6
"""Digits of a number that a word gives away."""

_PAIRS = 5
"""A number in pairs has this many (06 12 34 56 78)."""


def phones_in(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of every telephone number; they may overlap."""
    yield from _by_form(text)
    for match in _WORD.finditer(text):
        start, end = match.span(match.lastindex or 0)
        end = _before_date(text, start, end)
        if _date_end(text, start) is None and _count(text[start:end]) >= _FEWEST_SAID:
            yield start, end


def _by_form(text: str) -> Iterator[tuple[int, int]]:
    """A date is stepped over, for a number may follow it; one behind a number is no part of it."""
    position = 0
    while match := _FORM.search(text, position):
        start, position = match.span()
        if (date_end := _date_end(text, start)) is not None:
            position = date_end
            continue
        end = position = _before_date(text, start, position)
        if _count(text[start:end]) >= _FEWEST and (match["national"] is None or not _is_count(text[start:end])):
            yield start, end


def _count(number: str) -> int:
    return sum(map(str.isdigit, number))


def _is_count(number: str) -> bool:
    """Whether these are a few pairs of digits: days, months or counts side by side."""
    groups = _DIGITS.findall(number)
    return len(groups) < _PAIRS and all(len(group) == 2 for group in groups)


@lru_cache(maxsize=256)
def _dates(text: str) -> tuple[Date, ...]:
    """Dates that are no head of a number: with a year or a slash; in `May 0171 23` and `May 09 123 4567` is none.

    In order, and found once: each of many numbers asks.
    """
    said = (date for date in dates_in(text) if _GOES_ON.match(text, date.end) is None)
    whole = (date for date in said if date.year is not None or "/" in text[date.start : date.end])
    return tuple(sorted((*numeric_dates_in(text), *whole), key=_START))


def _date_end(text: str, start: int) -> int | None:
    """Where the date ends that holds this place."""
    dates = _dates(text)
    first = bisect_left(dates, start - _LONGEST_DATE, key=_START)
    near = dates[first : bisect_right(dates, start, key=_START)]
    return max((date.end for date in near if start < date.end), default=None)


def _before_date(text: str, start: int, end: int) -> int:
    """The end of a number, or where it ends if a date of digits follows within it."""
    dates = numeric_dates_in(text)
    following = bisect_right(dates, start, key=_START)
    first = dates[following].start if following < len(dates) else end
    return start + len(text[start : min(first, end)].rstrip(" /-"))
