"""Dates as people write them, found and normalised: `May 20th`, `20. Mai 2024`, `20 de mayo`, `05/20/2024`, ISO.

Day and month of a date with slashes are told apart only where one of them exceeds 12; otherwise it is ambiguous and
means nothing here. A date without a year matches any year. The search starts at digits, which texts have few of, and
looks back for a month: five times as fast as trying month names at every word.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_NAMES = (
    "january jan januar enero", "february feb februar febrero", "march mar märz marzo", "april apr abril",
    "may mai mayo", "june jun juni junio", "july jul juli julio", "august aug agosto",
    "september sep sept septiembre", "october oct oktober okt octubre", "november nov noviembre",
    "december dec dezember dez diciembre",
)  # fmt: skip
MONTHS = {name: number for number, names in enumerate(_NAMES, start=1) for name in names.split()}

_DATE = re.compile(
    r"(?<!\w)(?:"
    r"(?P<iso>\d{4})-(?P<iso_month>\d{2})-(?P<iso_day>\d{2})(?!\d)"
    r"|(?<![/.])(?P<first>\d{1,2})(?P<mark>[/.])(?P<second>\d{1,2})(?:(?P=mark)(?P<short_year>\d{4}|\d{2}))?(?![\w/])"
    r"|(?P<day>\d{1,2})(?!\d)(?:st|nd|rd|th|\.)?"
    r"(?:\s+(?:of\s+|de\s+)?(?P<month>[^\W\d_]{3,10})\b(?:,?\s+(?:de\s+)?(?P<year>\d{4})\b)?)?"
    r")"
)
_NUMERIC = re.compile(
    r"(?<![\w/.-])(?:(?P<year_first>\d{4})(?P<mark_first>[/.-])(?P<month>\d{1,2})(?P=mark_first)(?P<day>\d{1,2})"
    r"|(?P<first>\d{1,2})(?P<mark>[/.-])(?P<second>\d{1,2})(?P=mark)(?P<year>\d{4}|\d{2}))(?![\w/]|[.-]\d)"
)
_MONTH_BEFORE = re.compile(r"([^\W\d_]{3,10})\.?\s+$")
_YEAR_AFTER = re.compile(r"(?:st|nd|rd|th|\.)?(?:,?\s+(\d{4})\b)?")
_REACH = 14
"""How far back a month's name may begin, in characters."""


class Date(NamedTuple):
    """A date and where it stands, end exclusive; year None = not said."""

    year: int | None
    month: int
    day: int
    start: int
    end: int


@lru_cache(maxsize=256)
def dates_in(text: str) -> tuple[Date, ...]:
    """Every unambiguous date of a text, in order; remembered, because steps ask for one text many times."""
    found = (_date(match, text) for match in _DATE.finditer(text))
    return tuple(date for date in found if date is not None and 1 <= date.month <= 12 and 1 <= date.day <= 31)


@lru_cache(maxsize=256)
def numeric_dates_in(text: str) -> tuple[Date, ...]:
    """Every date of three numbers, ambiguous or not, whatever marks stand between them.

    For those who must know that it is a date more than which: an ambiguous one is read month first.
    """
    found = (_numeric(match) for match in _NUMERIC.finditer(text))
    return tuple(date for date in found if 1 <= date.month <= 12 and 1 <= date.day <= 31)


def _numeric(match: re.Match[str]) -> Date:
    if match["year_first"]:
        return Date(int(match["year_first"]), int(match["month"]), int(match["day"]), *match.span())
    first, second, year = int(match["first"]), int(match["second"]), int(match["year"])
    month, day = (second, first) if first > 12 else (first, second)
    return Date(year if len(match["year"]) == 4 else 2000 + year, month, day, *match.span())


def _date(match: re.Match[str], text: str) -> Date | None:
    if match["iso"]:
        return Date(int(match["iso"]), int(match["iso_month"]), int(match["iso_day"]), *match.span())
    if match["mark"]:
        return _marked(match)
    if month := MONTHS.get((match["month"] or "").lower()):
        year = int(match["year"]) if match["year"] else None
        return Date(year, month, int(match["day"]), *match.span())
    return _month_first(match, text)


def _month_first(match: re.Match[str], text: str) -> Date | None:
    start, day_end = match.span("day")
    reach = max(0, start - _REACH)
    before = _MONTH_BEFORE.search(text[reach:start])
    month = MONTHS.get(before[1].lower()) if before else None
    if before is None or month is None:
        return None
    after = _YEAR_AFTER.match(text, day_end)
    year = int(after[1]) if after and after[1] else None
    return Date(year, month, int(match["day"]), reach + before.start(), after.end() if after else day_end)


def _marked(match: re.Match[str]) -> Date | None:
    first, second, year = int(match["first"]), int(match["second"]), match["short_year"]
    if match["mark"] == "." and year is None:
        return None  # a decimal number
    full = None if year is None else int(year) if len(year) == 4 else 2000 + int(year)
    if first == second or second > 12:
        return Date(full, first, second, *match.span())
    return Date(full, second, first, *match.span()) if first > 12 else None
