"""Customers with everything that redaction must find: names, mail, phone, card, IBAN, address.

Nobody here exists: cards are of the test range 411111 with a valid Luhn digit, mail hosts are reserved (RFC 2606).
"""

from __future__ import annotations

import random
import unicodedata
from dataclasses import dataclass

from schemas.ids import stable_id
from streams.simulate.language import Language, language
from streams.simulate.shop import shop


@dataclass(frozen=True, slots=True)
class Customer:
    """One person; comes back with the same data in every contact of a seed."""

    customer_id: str
    language: str
    name: str
    email: str
    phone: str
    card: str
    iban: str


def customer(seed: int, population: str, number: int, languages: tuple[str, ...]) -> Customer:
    """The population's customer of that number; populations never share an id."""
    customer_id = f"{population}-{stable_id(seed, population, number)[:10]}"
    rng = random.Random(f"{customer_id}:{','.join(languages)}")
    # The first language is the shop's home market: half of its customers speak it.
    code = languages[0] if rng.random() < 0.5 else languages[int(rng.random() * len(languages))]
    tongue = language(code)
    name = person(tongue, rng)
    return Customer(
        customer_id=customer_id,
        language=code,
        name=name,
        email=_email(name, rng),
        phone=phone(tongue, rng),
        card=_card(rng),
        iban=_iban(tongue.values["formats"]["country"], rng),
    )


def person(tongue: Language, rng: random.Random) -> str:
    """A first name and a surname."""
    values = tongue.values
    return f"{rng.choice(values['first_names'])} {rng.choice(values['surnames'])}"


def phone(tongue: Language, rng: random.Random) -> str:
    """A number of the country's form, from a range that is kept free for fiction where there is one."""
    text: str = tongue.values["formats"]["phone"].format(c=f"{rng.randrange(1000):03}")
    return text


def _email(name: str, rng: random.Random) -> str:
    plain = unicodedata.normalize("NFKD", name.lower()).encode("ascii", "ignore").decode()
    first, last = plain.split(" ", 1)
    local = rng.choice((f"{first}.{last}", f"{first[0]}{last}", f"{first}{rng.randrange(60, 100)}", f"{last}.{first}"))
    return f"{local.replace(' ', '')}@{rng.choice(shop().values['mail_hosts'])}"


def _card(rng: random.Random) -> str:
    body = f"411111{rng.randrange(10**9):09}"
    digits = [int(digit) for digit in body]
    total = sum(d if i % 2 else (2 * d if d < 5 else 2 * d - 9) for i, d in enumerate(digits))
    number = f"{body}{-total % 10}"
    return " ".join(number[i : i + 4] for i in range(0, 16, 4)) if rng.random() < 0.6 else number


def _iban(country: str, rng: random.Random) -> str:
    """A number with valid check digits (ISO 7064 MOD 97-10), of a bank that does not exist."""
    bank = {"GB": "NULL", "DE": "0000", "ES": "0000"}[country]
    length = {"GB": 14, "DE": 14, "ES": 16}[country]
    account = f"{bank}{rng.randrange(10**length):0{length}}"
    numeric = "".join(str(int(letter, 36)) for letter in f"{account}{country}00")
    return f"{country}{98 - int(numeric) % 97:02}{account}"
