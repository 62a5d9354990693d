"""Deterministic ids and hashes: replaying input makes the same ones."""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from functools import lru_cache
from typing import Any

import orjson

_DIGITS = re.compile(r"\d")
_FOREIGN_DIGITS = re.compile("[\u0660-\u1fff\ua620-\U0001eeff\U0001fbf0-\U0001fbf9]")
"""Where Unicode has digits beyond ASCII that composing leaves; not among the marks and emoji of ordinary texts."""

_ASCII = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ123456789\x1c\x1d\x1e\x1f", b"abcdefghijklmnopqrstuvwxyz000000000    "
)
"""Lower case, digits as 0, and as spaces what separates words in a text but not in bytes."""


def stable_id(*parts: object) -> str:
    """32 hex digits that depend on the parts and their order only."""
    text = "\x1f".join(map(str, parts))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def content_hash(value: Any) -> str:
    """sha256 of a JSON value with sorted keys."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


@lru_cache(maxsize=1024)
def normalised(text: str) -> str:
    """Lower case, digits as 0, accents composed, white space single: near-identical short texts meet here.

    Remembered, because windows overlap: each message of a conversation is in many.
    """
    if text.isascii():  # the common case, several times as fast
        return b" ".join(text.encode().translate(_ASCII).split()).decode()
    folded = unicodedata.normalize("NFKC", text).casefold()
    if _FOREIGN_DIGITS.search(folded):
        return " ".join(_DIGITS.sub("0", folded).split())
    plain = folded.encode("utf-8", "surrogatepass").translate(_ASCII)
    return " ".join(plain.decode("utf-8", "surrogatepass").split())


def text_hash(text: str) -> str:
    """sha256 of the normalised text."""
    return hashlib.sha256(normalised(text).encode()).hexdigest()


def customer_hash(customer_id: str, key: bytes) -> str:
    """Keyed hash of a customer id: stable for one key, useless without it."""
    return "c-" + hmac.new(key, customer_id.encode(), hashlib.sha256).hexdigest()[:24]


def share(unit: str, salt: str) -> float:
    """A number in [0, 1) that depends on the unit and the salt only: splits and samples go by it."""
    digest = hashlib.sha256(f"{salt}\x1f{unit}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
