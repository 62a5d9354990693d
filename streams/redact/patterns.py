"""Where personal data stands in a text, as far as its form alone tells. Pure; no list of names, no model.

Numbers count as personal only with a check digit, a telling format or a telling word before them: order numbers,
reservation codes, product and payment ids are business and stay.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import ip_address
from typing import Literal, NamedTuple

from streams.dates import dates_in, numeric_dates_in
from streams.redact.checks import passes_iban, passes_luhn
from streams.redact.phones import phones_in

Kind = Literal[
    "email", "phone", "card", "iban", "ssn", "ip", "url", "address", "zip", "birth_date", "person", "customer_id"
]  # fmt: skip


class Found(NamedTuple):
    """Personal data in a text, end exclusive."""

    start: int
    end: int
    kind: Kind


_DIGIT = re.compile(r"\d")
_LONG_NUMBER = re.compile(r"\d(?:[ .()/-]{0,3}[\dA-Za-z]){5}")
"""Gates: most texts need none of the patterns behind them."""

EMAIL = re.compile(r"[\w.%+'-]{1,254}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
URL = re.compile(r"https?://[^\s<>\"')\]]+")
_URL_SECRET = re.compile(r"//[^/]*@|[?&][^=]+=.|/(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{16,}")
IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f:]{4,39}(?![\w:])")
CARD = re.compile(
    r"(?<![\w.-])(?:[2-6]\d{12,18}|[2-6]\d{3}([ -])\d{4}\1\d{4}\1\d{1,7}|3\d{3}([ -])\d{6}\2\d{4,5})(?!\w|-\d)"
)
IBAN = re.compile(r"(?<!\w)[A-Za-z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]{1,4}+){3,8}(?!\w)")
"""Its letters are spelt out: where case is ignored, `[A-Z]` takes the Turkish dotless i too, which is in no number."""

_TECHNICAL_ID = re.compile(r"(?<!\w)(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32,})(?!\w)", re.IGNORECASE)
"""A UUID, or its like without dashes (no IBAN of hex digits alone is that long): some pass for an IBAN by accident."""

SSN = re.compile(r"(?<![\w-])\d{3}[- ]\d{2}[- ]\d{4}(?![\w-])")
_SSN_WORD = re.compile(r"(?:\bssn\b|social security(?: number)?)\D{0,20}(\d{9})(?!\d)", re.IGNORECASE)
_SUFFIX = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Drive|Dr|Lane|Ln|Court|Ct|Place|Pl|Way|Terrace|Circle|Cir|Parkway"
    r"|Pkwy|Highway|Hwy|Trail|Square|Sq|Crescent|Close|Alley|Loop|Plaza)\b\.?"
)
ADDRESS = re.compile(
    rf"(?<![\w#-])\d{{1,6}}[A-Za-z]?,?\s+(?:[A-Z0-9][\w'.-]*\s+){{1,4}}{_SUFFIX}"
    r"|(?<!\w)[A-ZÄÖÜ][\wäöüß-]{0,80}(?:straße|strasse|str\.|weg|platz|allee|gasse|ring|damm)\s+\d{1,4}\s?[a-z]?(?!\w)"
    r"|(?<!\w)(?:Calle|Avenida|Avda\.|Plaza|Paseo)\s+(?:de\s+|la\s+|del\s+)*[A-ZÁÉÍÓÚÑ][\wáéíóúñ]*,?\s+\d{1,4}(?!\w)"
)
_UNIT = re.compile(r",?\s+(?:Apt|Apartment|Suite|Ste|Unit)\b\.?\s*#?\s*\w+")
_BIRTH_WORD = re.compile(
    r"\b(?:born|birth\w*|dob|d\.o\.b|geboren|geburts\w*|nac(?:í|imiento|ido|ida))\b", re.IGNORECASE
)
_BIRTH_REACH = 40
"""How far behind a word of birth its date may stand, in characters."""

_NAME = r"[A-ZÀ-ÖØ-Þ][\w'\u2019-]*[a-zà-öø-ÿ][\w'\u2019-]*"
_FULL_NAME = rf"({_NAME}(?:\s+(?:[A-Z]\.\s+|van\s+|von\s+|de\s+|der\s+|del\s+)*{_NAME}){{0,2}})"
INTRODUCED = re.compile(
    rf"(?:\b(?:[Mm]y|[Tt]he|[Cc]ustomer|[Pp]assenger|[Ff]ull)(?:'s)? (?:full )?name(?: is|'s|:)\s+|\b[Nn]ame is\s+"
    rf"|\b(?:Mr|Mrs|Ms|Miss|Dr|Prof|Herrn?|Frau|Sr|Sra|Señora?|Mister|Madam)\.?\s+|\bDear\s+|\b[Ii]ch heiße\s+"
    rf"|\b[Mm]ein Name ist\s+|\b[Mm]e llamo\s+|\b[Mm]i nombre es\s+|\b(?:Thank you|Thanks|Hello|Hi|Hey|Danke|Hallo|Hola"
    rf"|Gracias),? (?=[^\s,.!?]+(?: [^\s,.!?]+)?[,.!?](?:\s|$)))"
    rf"{_FULL_NAME}"
)
NOT_NAMES = frozenset(
    "sir madam customer team all everyone there support agent service user guest friend hiring manager again so very "
    "for i and the you your this that here let please yes no just it we my our any help details valued passenger "
    "monday tuesday wednesday thursday friday saturday sunday human assistant representative everybody folks "
    "hi hello hey thanks thank hola hallo kunde kundin zusammen cliente equipo".split()
)
"""Words that stand where a name could, casefolded."""


def find(text: str) -> list[Found]:
    """Personal data in a text, in order, not overlapping: the earlier, then the longer one wins."""
    if _is_one_word(text):
        return []
    found = [*introduced(text)]
    if "@" in text:
        found += [Found(*match.span(), "email") for match in EMAIL.finditer(text)]
    if "://" in text:
        found += [Found(*match.span(), "url") for match in URL.finditer(text) if _URL_SECRET.search(match[0])]
    if _DIGIT.search(text):
        found += _places(text)
    if _LONG_NUMBER.search(text):
        found += _numbers(text)
    return without_overlaps(found)


def _is_one_word(text: str) -> bool:
    """Whether this is a name of a field or the like (`call_1`, `pending`), which no pattern finds anything in."""
    return text.isidentifier() and ("_" in text or text.isalpha())


def without_overlaps(found: list[Found]) -> list[Found]:
    """Of places that overlap, the earlier, then the longer."""
    kept: list[Found] = []
    for one in sorted(found, key=lambda place: (place.start, -place.end)):
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
    return kept


def _places(text: str) -> Iterator[Found]:
    """What needs few digits: network addresses, streets, dates of birth."""
    if text.count(".") > 2:
        yield from (Found(*m.span(), "ip") for m in IPV4.finditer(text) if _is_ip(m[0]))
    if text.count(":") > 1:
        yield from (Found(*m.span(), "ip") for m in IPV6.finditer(text) if m[0].count(":") > 1 and _is_ip(m[0]))
    yield from (Found(m.start(), _with_unit(text, m.end()), "address") for m in ADDRESS.finditer(text))
    yield from _birth_dates(text)


def _numbers(text: str) -> Iterator[Found]:
    """What needs at least seven digits."""
    yield from (Found(*m.span(), "card") for m in CARD.finditer(text) if passes_luhn(re.sub(r"\D", "", m[0])))
    yield from (Found(m.start(), end, "iban") for m in IBAN.finditer(text) if (end := _iban_end(m)))
    yield from (Found(*m.span(), "ssn") for m in SSN.finditer(text))
    yield from (Found(*m.span(1), "ssn") for m in _SSN_WORD.finditer(text))
    yield from (Found(start, end, "phone") for start, end in phones_in(text))


@lru_cache(maxsize=256)
def introduced(text: str) -> tuple[Found, ...]:
    """Names that a greeting, a title or an introduction gives away; each text is asked twice, so remembered."""
    given = (match for match in INTRODUCED.finditer(text) if match[1].split()[0].casefold() not in NOT_NAMES)
    return tuple(Found(*match.span(1), "person") for match in given)


def _iban_end(match: re.Match[str]) -> int | None:
    """Where the IBAN ends: capital words behind it look like more of it, so the longest valid head is it."""
    text = match[0]
    if any(one.start() <= match.start() < one.end() for one in _TECHNICAL_ID.finditer(match.string)):
        return None
    for end in range(len(text), 14, -1):
        compact = re.sub(r"[ -]", "", text[:end])
        if 15 <= len(compact) <= 34 and text[end - 1].isalnum() and passes_iban(compact):
            return match.start() + end
    return None


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _with_unit(text: str, end: int) -> int:
    unit = _UNIT.match(text, end)
    return unit.end() if unit else end


def _birth_dates(text: str) -> Iterator[Found]:
    words = [match.end() for match in _BIRTH_WORD.finditer(text)]
    if not words:
        return
    for date in (*dates_in(text), *numeric_dates_in(text)):
        if bisect_left(words, date.start - _BIRTH_REACH) < bisect_right(words, date.start):
            yield Found(date.start, date.end, "birth_date")
