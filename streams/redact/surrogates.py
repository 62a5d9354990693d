"""Surrogates: values of the same type and shape that belong to nobody, chosen by keyed hash (HMAC-SHA-256).

The same value makes the same surrogate wherever and however it is written (a telephone number by its digits, a name in
any case), as long as the key is the same. Reserved ranges where there are some: example.com, 555-01xx, test card
prefixes, TEST-NET, never-issued social security numbers.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable

from streams.dates import dates_in, numeric_dates_in
from streams.redact.checks import iban_check, luhn_digit
from streams.redact.patterns import Kind

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_NAMES = (
    "Adair Ainsley Alden Arden Ashby Aubrey Avery Bailey Barlow Bellamy Bennett Blair Blake Bowen Brady Briar Calder "
    "Cameron Carey Carson Casey Channing Collins Corey Dakota Darcy Delaney Devon Drew Eden Ellery Ellis Emerson Ember "
    "Everett Finley Flynn Gentry Greer Hadley Harley Harper Hollis Jamie Jordan Joss Kendall Kerry Kit Lane Laurie "
    "Lennox Leslie Linden Logan Lowell Marlow Marley Merrill Micah Monroe Morgan Murphy Noel Oakley Paige "
    "Palmer Parker Payton Perry Presley Quincy Quinn Reagan Reese Regan Remy Riley Robin Rory Rowan Ryan Sage Sawyer "
    "Schuyler Shannon Shea Shiloh Sidney Skyler Sloan Spencer Stevie Sutton Tatum Taylor Temple Tierney Tobin Tracy "
    "Tristan Tully Tyler Vaughn Wallis Wesley Whitney Winslow Wynn Yardley"
).split()
"""Names that serve as first and as last name, so that a word needs no role."""

_STREETS = (
    "Alder Beech Birch Cherry Chestnut Clover Elder Fern Hazel Heather Juniper Larch Laurel Linden Willow Yew".split()
)
_CARD_PREFIXES = {"3": "378282", "4": "424242", "5": "555555", "6": "601111", "2": "222300"}
_KEPT_WORDS = frozenset(
    "cust customer user usr id client acct account member street st avenue ave road rd boulevard blvd drive dr lane ln "
    "court ct place pl way terrace circle cir parkway pkwy highway hwy trail square sq crescent close alley loop plaza "
    "apt apartment suite ste unit floor po box calle avenida avda paseo de la del".split()
)
"""Words of ids and addresses that name no one."""

_GERMAN_STREET = re.compile(r"(straße|strasse|str\.|weg|platz|allee|gasse|ring|damm)$", re.IGNORECASE)


_SEPARATORS = re.compile(r"[ .()/+-]")
_FORMS: dict[Kind, re.Pattern[str]] = {
    "phone": re.compile(r"[0-9]{2,}(?:x[0-9]+)?"),
    "card": re.compile(r"[2-6][0-9]{11,18}"),
    "iban": re.compile(r"[A-Za-z]{2}[0-9]{2}[A-Za-z0-9]{8,30}"),
    "ssn": re.compile(r"[0-9]{9}"),
}
"""What is left of a value without separators, for kinds whose surrogate is built from it."""


class Surrogates:
    """Makes surrogates under one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._makers: dict[Kind, Callable[[str], str]] = {
            "email": self._email,
            "phone": self._phone,
            "card": self._card,
            "iban": self._iban,
            "ssn": self._ssn,
            "ip": self._ip,
            "url": self._url,
            "address": self._address,
            "zip": self._scrambled,
            "birth_date": self._birth_date,
            "person": self._person,
            "customer_id": self._id,
        }

    def of(self, kind: Kind, value: str) -> str:
        """The surrogate of a value of this kind; one without the kind's form keeps its own, with other characters."""
        form = _FORMS.get(kind)
        has_form = form is None or form.fullmatch(_SEPARATORS.sub("", value)) is not None
        return self._makers[kind](value) if has_form else self._scrambled(value)

    def _number(self, *parts: str) -> int:
        message = "\x1f".join(parts).encode()
        return int.from_bytes(hmac.new(self._key, message, hashlib.sha256).digest(), "big")

    def _digits(self, n: int, *parts: str) -> str:
        return f"{self._number(*parts) % 10**n:0{n}d}" if n else ""

    def _name(self, word: str) -> str:
        name = _NAMES[self._number("name", word.casefold()) % len(_NAMES)]
        return name.upper() if word.isupper() and len(word) > 1 else name.lower() if word.islower() else name

    def _person(self, value: str) -> str:
        return re.sub(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*", lambda word: self._name(word[0]), value)

    def _email(self, value: str) -> str:
        local = value.rpartition("@")[0]
        return self._id(local, canonical=value.casefold(), keep=frozenset()) + "@example.com"

    def _id(self, value: str, canonical: str = "", keep: frozenset[str] = _KEPT_WORDS) -> str:
        """Words of an id become names, digits other digits; prefixes such as `cust` stay."""
        whole = canonical or value.casefold()

        def part(match: re.Match[str]) -> str:
            text = match[0]
            if text.isdigit():
                return self._digits(len(text), "id", whole, str(match.start()))
            if len(text) == 1 or text.casefold() in keep:
                return text
            return self._name(text)

        return re.sub(r"\d+|[^\W\d_]+", part, value)

    def _phone(self, value: str) -> str:
        number, _, extension = value.partition("x")
        digits = re.sub(r"\D", "", number)
        core = digits[-10:]
        made = self._digits(len(core), "phone", core)
        if len(core) == 10:
            made = f"{2 + int(made[0]) % 8}{made[1:3]}55501{made[8:]}"
        return _refill(value, digits[:-10] + made + "x" * bool(extension) + self._scrambled(extension))

    def _card(self, value: str) -> str:
        digits = re.sub(r"\D", "", value)
        prefix = _CARD_PREFIXES.get(digits[0], "424242")
        head = prefix + self._digits(len(digits) - 7, "card", digits)
        return _refill(value, head + luhn_digit(head))

    def _iban(self, value: str) -> str:
        compact = _SEPARATORS.sub("", value)
        country, account = compact[:2], self._scrambled(compact[4:])
        return _refill(value, country + iban_check(country, account) + account)

    def _ssn(self, value: str) -> str:
        digits = self._digits(9, "ssn", re.sub(r"\D", "", value))
        return _refill(value, f"9{digits[1:3]}{1 + int(digits[3]) % 4}{digits[4:]}")

    def _ip(self, value: str) -> str:
        number = self._number("ip", value.casefold())
        if ":" in value:
            return f"2001:db8::{number % 65536:x}:{number // 65536 % 65536:x}"
        net = ("192.0.2", "198.51.100", "203.0.113")[number % 3]
        return f"{net}.{1 + number // 3 % 254}"

    def _url(self, value: str) -> str:
        value = re.sub(r"//[^/]*@", "//", value)
        head, mark, query = value.partition("?")
        head = re.sub(r"(?<=/)(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{16,}", lambda m: self._scrambled(m[0]), head)
        return head + mark + re.sub(r"(?<==)[^&#]+", lambda m: self._scrambled(m[0]), query)

    def _address(self, value: str) -> str:
        canonical = re.sub(r"\W+", " ", value).casefold().strip()

        def part(match: re.Match[str]) -> str:
            text = match[0]
            if text[0].isdigit():
                return self._scrambled(text, canonical)
            if text.casefold() in _KEPT_WORDS or len(text) < 3:
                return text
            street = _STREETS[self._number("street", text.casefold()) % len(_STREETS)]
            tail = _GERMAN_STREET.search(text)
            return street + tail[0] if tail else street

        return re.sub(r"\d\w*|[^\W\d_]+\.?", part, value)

    def _birth_date(self, value: str) -> str:
        date = next(iter((*dates_in(value), *numeric_dates_in(value))), None)
        if date is None:
            return self._scrambled(value)
        number = self._number("date", str(date.month), str(date.day))
        month, day = 1 + number % 12, 13 + number // 12 % 16  # a day over 12 can't be taken for a month
        year = 1950 + number // 192 % 50 if date.year else None
        made = _write_date(value[date.start : date.end], year, month, day)
        # What stands beside the date: a mark such as `*` or brackets, or what nobody can vouch for.
        return self._scrambled(value[: date.start]) + made + self._scrambled(value[date.end :])

    def _scrambled(self, value: str, salt: str = "") -> str:
        """Each digit another digit, each letter another of its case; nothing else moves, no leading zero appears."""
        number = self._number("scrambled", salt or value.casefold())
        made = []
        for position, char in enumerate(value):
            number, draw = divmod(number, 26) if number else (self._number(salt, value, str(position)), 7)
            if char.isdigit():
                made.append(str(1 + draw % 9))
            elif char.isalpha() and char.isascii():
                made.append(_LETTERS[draw].upper() if char.isupper() else _LETTERS[draw])
            else:
                made.append(char)
        return "".join(made)


def _refill(shape: str, characters: str) -> str:
    """The characters in the places of the letters and digits of a shape."""
    rest = iter(characters)
    return "".join(next(rest) if char.isalnum() else char for char in shape)


_MONTH_NAMES = "January February March April May June July August September October November December".split()


def _write_date(shape: str, year: int | None, month: int, day: int) -> str:
    """A date in the form of another one: ISO, with the month's name, or with marks in the shape's order."""
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", shape):
        return f"{year}-{month:02}-{day:02}"
    if re.search(r"[^\W\d_]{3}", shape):
        name = _MONTH_NAMES[month - 1]
        said = f"{day} {name}" if shape[0].isdigit() else f"{name} {day}"
        return f"{said}{' ' if shape[0].isdigit() else ', '}{year}" if year else said
    first, mark = re.split(r"([./-])", shape)[:2]
    pair = (day, month) if int(first) > 12 else (month, day)
    return mark.join(f"{part:02}" for part in pair) + (f"{mark}{year}" if year else "")
