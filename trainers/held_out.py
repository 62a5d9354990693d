"""Keeps the sides apart: what is held out to measure, stop or calibrate shares no words and no people with the rest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.ids import text_hash
from trainers.items import Item


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Texts, conversations and customers of the held-out sides: by side, so that reasons can name it."""

    sides: tuple[tuple[str, frozenset[str], frozenset[str]], ...]

    @classmethod
    def of(cls, **sides: Iterable[Item]) -> HeldOut:
        """The traces of named sides."""
        held = {name: tuple(items) for name, items in sides.items()}
        return cls(tuple((name, _texts(items), _people(items)) for name, items in held.items()))

    def reason(self, item: Item) -> str | None:
        """Why an item may not be used beside these sides, or None."""
        for name, texts, people in self.sides:
            if not texts.isdisjoint(_texts((item,))):
                return f"text_in_{name}"
            if not people.isdisjoint(_people((item,))):
                return f"customer_in_{name}"
        return None


def _texts(items: Iterable[Item]) -> frozenset[str]:
    """Hashes of what was said, of what the track reads, of what the store has: a leak through any is one."""
    hashes = (digest for item in items for digest in (item.text_hash, text_hash(item.text), item.stored_hash))
    return frozenset(digest for digest in hashes if digest is not None)


def _people(items: Iterable[Item]) -> frozenset[str]:
    return frozenset(unit for item in items for unit in (item.conversation_id, item.customer) if unit is not None)
