"""Personal values that a conversation itself names for certain: by keys of tool arguments and results, by customer id.

A value under `first_name`, `email` or `zip` is personal wherever else it is said, whatever its form. Names found by
form (greetings, introductions) join them, so that `Hi Mia` and `Mia's order` agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from typing import Any

from streams.dates import Date, dates_in, numeric_dates_in
from streams.messages import folded
from streams.redact.patterns import NOT_NAMES, Found, Kind

_KEYS: dict[Kind, str] = {
    "email": "email e_mail email_address mail contact_email",
    "phone": "phone phone_number telephone tel mobile mobile_number cell contact_number telefon telefono",
    "person": "first_name firstname given_name last_name lastname surname family_name full_name fullname customer_name "
    "passenger_name cardholder cardholder_name card_holder holder_name recipient recipient_name contact_name vorname "
    "nachname nombre apellido",
    "birth_date": "dob date_of_birth birth_date birthdate birthday geburtsdatum",
    "address": "address1 address2 address_line1 address_line2 line1 line2 street street_address address_line_1 "
    "address_line_2 shipping_address billing_address address strasse calle",
    "zip": "zip zip_code zipcode postal_code postcode plz",
    "ssn": "ssn social_security_number",
    "iban": "iban account_iban",
    "card": "card_number credit_card_number pan",
    "ip": "ip ip_address",
    "customer_id": "customer_id user_id username login",
}
KIND_OF_KEY: dict[str, Kind] = {key: kind for kind, keys in _KEYS.items() for key in keys.split()}
_PERSON_BESIDE = frozenset({"email", "phone", "dob", "date_of_birth", "address", "user_id", "customer_id", "last_name"})
_THING_BESIDE = frozenset({"product_id", "item_id", "sku", "price", "description"})
COMMON_WORDS = frozenset(
    "an art august april best bill black blue brown can chase dale day do dawn faith flight gold good grace grant "
    "green grey hope in joy june king lane long love major mark may miles my order price rich rose sky so song summer "
    "the van white will wood you young".split()
)
"""Names that are ordinary words: replaced within a full name only."""


def kind_of(key: str, siblings: Iterable[str] = ()) -> Kind | None:
    """What the value under this key is; a `name` is a person's where its neighbours say so."""
    folded = _folded(key)
    if folded in ("name", "customer", "passenger"):
        beside = set(siblings)
        return "person" if beside & _PERSON_BESIDE and not beside & _THING_BESIDE else None
    return KIND_OF_KEY.get(folded)


@lru_cache(maxsize=4096)
def _folded(key: str) -> str:
    return re.sub(r"[\s-]+", "_", key.casefold())


def values_in(value: Any) -> Iterator[tuple[str, Kind]]:
    """Every personal value of a JSON value that its key names, with its kind."""
    if isinstance(value, dict):
        for key, inner in value.items():
            kind = kind_of(key, value)
            for leaf in inner if isinstance(inner, list) else (inner,):
                if kind and isinstance(leaf, (str, int)) and is_telling(str(leaf), kind):
                    yield str(leaf), kind
                elif isinstance(leaf, (dict, list)):
                    yield from values_in(leaf)
    elif isinstance(value, list):
        for inner in value:
            yield from values_in(inner)


def is_telling(value: str, kind: Kind) -> bool:
    """Whether a value under a personal key is one: not empty, not a sentence, of the letters or digits it needs."""
    if not 2 <= len(value) <= 120 or value.casefold() in ("null", "none", "n/a", "unknown", "true", "false"):
        return False
    if kind == "person":
        return not any(map(str.isdigit, value)) and value.casefold() not in NOT_NAMES and len(value.split()) <= 5
    if kind == "email":
        return "@" in value
    return kind in ("address", "customer_id") or any(map(str.isdigit, value))


class Known:
    """The personal values of one conversation, found in any text by one pattern."""

    def __init__(self, values: Iterable[tuple[str, Kind]]) -> None:
        kinds: dict[str, Kind] = {}
        spellings: dict[str, None] = {}
        for value, kind in values:
            text = value.strip()
            for spelling, pattern in _spellings(text, kind):
                kinds.setdefault(_key(spelling), kind)
                spellings[pattern] = None
        self._kinds = kinds
        self._births = {date[:3] for text, kind in kinds.items() if kind == "birth_date" for date in _dates(text)}
        self._spellings = sorted(spellings, key=len, reverse=True)
        self._are_plain = all(map(str.isascii, kinds))

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """Made when a text says one of the values: that takes longer than all else, and many texts say none."""
        return re.compile(rf"(?<![\w@])(?:{'|'.join(self._spellings)})(?![\w@])")

    def _may_stand_in(self, text: str) -> bool:
        return any(map(folded(text).__contains__, self._kinds)) if self._are_plain else True

    def find(self, text: str) -> list[Found]:
        """Where the values stand in a text."""
        if not self._kinds:
            return []
        found = self._named(text) if self._may_stand_in(text) else []
        if self._births:
            found += [Found(d.start, d.end, "birth_date") for d in _dates(text) if self._is_birth(d)]
        return found

    def _is_birth(self, date: Date) -> bool:
        """Whether a date is one of birth, whichever way round it is read."""
        return date[:3] in self._births or (date.year, date.day, date.month) in self._births

    def _named(self, text: str) -> list[Found]:
        return [Found(*match.span(), self._kinds[_key(match[0])]) for match in self._pattern.finditer(text)]


def _dates(text: str) -> tuple[Date, ...]:
    return (*dates_in(text), *numeric_dates_in(text))


def _key(spelling: str) -> str:
    """One for all that a pattern takes for one another: a dotless i and an i too, which folding case keeps apart."""
    return folded(spelling.casefold())


def _spellings(value: str, kind: Kind) -> Iterator[tuple[str, str]]:
    """(casefolded, pattern) of a value: whole in any case; single words of a name only as names are written."""
    yield value.casefold(), f"(?i:{re.escape(value)})" if kind != "person" or " " in value else _as_name(value)
    if kind == "person" and " " in value:
        for word in re.findall(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*", value):
            if len(word) > 1 and word.casefold() not in COMMON_WORDS | NOT_NAMES:
                yield word.casefold(), _as_name(word)


def _as_name(word: str) -> str:
    if word.casefold() in COMMON_WORDS:
        return r"(?!)"
    # Three capitals are a code (MIA is an airport) more often than a shouted name.
    forms = (word, word.capitalize(), word.upper() if len(word) > 3 else word)
    return "|".join(re.escape(form) for form in dict.fromkeys(forms))
