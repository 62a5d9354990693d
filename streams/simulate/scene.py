"""The values of one contact, drawn when first asked for and then fixed: order number, piece, dates, amounts, people.

Whatever a customer says, a tool is called with or the agent answers comes from the same scene, so they always agree.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from streams.simulate.language import Language
from streams.simulate.people import Customer, person
from streams.simulate.shop import shop

_ENTITIES = ("order_id", "product", "variant", "email", "phone", "name", "street", "postcode", "city", "amount",
             "discount_code", "card", "iban", "fault")  # fmt: skip
ENTITY_OF = {name: name for name in _ENTITIES} | {"expected": "date", "wrong_id": "order_id", "other_name": "name"}
"""Slots that are entities, and the label of each."""


class Scene(dict[str, str]):
    """Slot values by name; a missing one is drawn."""

    def __init__(self, customer: Customer, tongue: Language, rng: random.Random, today: date) -> None:
        super().__init__(name=customer.name, email=customer.email, card=customer.card, iban=customer.iban)
        self["first_name"] = customer.name.split(" ", 1)[0]
        self["phone"] = customer.phone
        self.tongue = tongue
        self.rng = rng
        self.today = today

    def __missing__(self, name: str) -> str:
        self[name] = value = _MAKERS[name](self)
        return value

    def pick(self, options: Any) -> str:
        """One of a list's texts, or one of a table's keys."""
        names: list[str] = list(options)
        return names[int(self.rng.random() * len(names))]

    def number(self, low: int, high: int) -> int:
        """A whole number from low to high."""
        return low + int(self.rng.random() * (high - low + 1))


def _value(name: str) -> Callable[[Scene], str]:
    return lambda scene: scene.pick(scene.tongue.values[name])


def _text_of(name: str, table: str) -> Callable[[Scene], str]:
    def text(scene: Scene) -> str:
        words: str = scene.tongue.values[table][scene[name]]
        return words

    return text


def _shop_value(name: str) -> Callable[[Scene], str]:
    return lambda scene: scene.pick(shop().values[name])


def _day(low: int, high: int) -> Callable[[Scene], str]:
    return lambda scene: (scene.today + timedelta(days=scene.number(low, high))).isoformat()


def _spoken_day(name: str) -> Callable[[Scene], str]:
    def text(scene: Scene) -> str:
        day = date.fromisoformat(scene[name])
        months = scene.tongue.values["months"]
        form = scene.pick(scene.tongue.values["dates"])
        return form.format(day=day.day, month=months[day.month - 1], number=day.month)

    return text


def _money(low: int, high: int) -> Callable[[Scene], str]:
    def text(scene: Scene) -> str:
        cents = (0, 50, 90, 95, 99)[scene.number(0, 4)]
        return _formatted(scene, "amount", amount=f"{scene.number(low, high)}.{cents:02}")

    return text


def _formatted(scene: Scene, name: str, **parts: object) -> str:
    form: dict[str, str] = scene.tongue.values["formats"]
    text = form[name].format(**parts)
    return text.replace(".", ",") if name == "amount" and form["country"] != "GB" else text


def _code(prefix: str, digits: int) -> Callable[[Scene], str]:
    return lambda scene: f"{prefix}{scene.number(10 ** (digits - 1), 10**digits - 1)}"


def _span(low: int, high: int, unit: str = "") -> Callable[[Scene], str]:
    return lambda scene: f"{scene.number(low, high)}{unit}"


_MAKERS: dict[str, Callable[[Scene], str]] = {
    "order_id": _code("LL-", 6),
    "wrong_id": _code("LL-", 6),
    "case_id": _code("C-", 5),
    "return_id": _code("R-", 5),
    "product": _value("product"),
    "variant": _value("variant"),
    "fault": _value("fault"),
    "material": _value("material"),
    "city": _value("city"),
    "street": lambda scene: _formatted(
        scene, "street", street=scene.pick(scene.tongue.values["streets"]), number=scene.number(1, 180)
    ),
    "postcode": lambda scene: _formatted(
        scene, "postcode", a=scene.number(1, 9), b=scene.number(1, 9), d=f"{scene.number(0, 9999):04}"
    ),
    "reason": _value("reason"),
    "reason_text": _text_of("reason", "reason"),
    "status": _value("status"),
    "status_text": _text_of("status", "status"),
    "refund_state": _value("refund_state"),
    "refund_text": _text_of("refund_state", "refund_state"),
    "stock": _value("stock"),
    "stock_text": _text_of("stock", "stock"),
    "expected_on": _day(-20, -1),
    "expected": _spoken_day("expected_on"),
    "eta_iso": _day(1, 7),
    "eta": _spoken_day("eta_iso"),
    "amount": _money(9, 240),
    "price": _money(12, 320),
    "percent": _span(1, 5, "0 %"),
    "days": _span(3, 14),
    "years": _span(2, 5),
    "discount_code": _shop_value("codes"),
    "carrier": _shop_value("carriers"),
    "other_name": lambda scene: person(scene.tongue, scene.rng),
}

SLOTS = frozenset(_MAKERS) | {"name", "first_name", "email", "phone", "card", "iban"}
"""All slots that a template may use."""
