"""Dates as customers write them, found and normalised: `May 20th`, `20. Mai 2024`, `20 de mayo`, `05/20/2024`, ISO.

Day and month of a date with slashes are told apart only where one of them exceeds 12; otherwise it is ambiguous and
means nothing here. A date without a year matches any year.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_NAMES = (
    "january jan januar enero", "february feb februar febrero", "march mar märz marzo", "april apr abril",
    "may mai mayo", "june jun juni junio", "july jul juli julio", "august aug agosto",
    "september sep sept septiembre", "october oct oktober okt octubre", "november nov noviembre",
    "december dec dezember dez diciembre",
)  # fmt: skip
MONTHS = {name: number for number, names in enumerate(_NAMES, start=1) for name in names.split()}
_MONTH = "(?:" + "|".join(sorted(MONTHS, key=len, reverse=True)) + ")"
_DAY = r"\d{1,2}(?:st|nd|rd|th|\.)?"
DATE = re.compile(
    rf"\b(?P<y1>\d{{4}})-(?P<m1>\d{{2}})-(?P<d1>\d{{2}})\b"
    rf"|\b(?P<m2>{_MONTH})\.?\s+(?P<d2>{_DAY})(?:,?\s+(?P<y2>\d{{4}}))?\b"
    rf"|\b(?P<d3>{_DAY})\s+(?:of\s+|de\s+)?(?P<m3>{_MONTH})\b(?:,?\s+(?:de\s+)?(?P<y3>\d{{4}})\b)?"
    r"|\b(?P<a4>\d{1,2})[/.](?P<b4>\d{1,2})[/.](?P<y4>\d{4}|\d{2})\b"
    r"|(?<![\d/])(?P<a5>\d{1,2})/(?P<b5>\d{1,2})(?![\d/])",
    re.IGNORECASE,
)


class Date(NamedTuple):
    """A date and where it stands; year None = not said."""

    year: int | None
    month: int
    day: int
    start: int
    end: int


def dates_in(text: str) -> Iterator[Date]:
    """Every unambiguous date of a text, in order."""
    for match in DATE.finditer(text):
        parts = _parts(match)
        if parts is not None and 1 <= parts[1] <= 12 and 1 <= parts[2] <= 31:
            yield Date(*parts, match.start(), match.end())


def _parts(match: re.Match[str]) -> tuple[int | None, int, int] | None:
    """Year, month and day of a match; None where day and month cannot be told apart."""
    kind = (match.lastgroup or "")[-1:]
    group = match.groupdict()
    if kind == "1":
        return int(group["y1"]), int(group["m1"]), int(group["d1"])
    if kind in ("2", "3"):
        year = group[f"y{kind}"]
        day = re.sub(r"\D", "", group[f"d{kind}"])
        return int(year) if year else None, MONTHS[group[f"m{kind}"].lower()], int(day)
    return _slashed(match, kind)


def _slashed(match: re.Match[str], kind: str) -> tuple[int | None, int, int] | None:
    first, second = int(match[f"a{kind}"]), int(match[f"b{kind}"])
    year = _year(match["y4"]) if kind == "4" else None
    if first == second or second > 12:
        return year, first, second
    return (year, second, first) if first > 12 else None


def _year(digits: str) -> int:
    return int(digits) if len(digits) == 4 else 2000 + int(digits)
