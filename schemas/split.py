"""The one split of everything that has no side yet: examples of the stream, imported labels, files that are trained on.

By the customer's hash, else the conversation, else the normalised words, so that nobody stands on both sides and a line
stands on the same side whichever way it comes in.
"""

from __future__ import annotations

from schemas.ids import share, text_hash
from schemas.records import Split

SALT = "stillstream-split-1"
"""Never change it: it would move customers across the split."""

DEVELOPMENT_SHARE = 0.1
BENCHMARK_SHARE = 0.1


def split_unit(customer_hash: str | None, conversation_id: str | None, text: str) -> str:
    """Who or what must stay on one side; a customer by the keyed hash, for production has nothing else of them.

    So another key moves customers across the split; conversations and texts (as they were said, the last message) stay.
    """
    return customer_hash or conversation_id or text_hash(text)


def split(unit: str, development_share: float = DEVELOPMENT_SHARE, benchmark_share: float = BENCHMARK_SHARE) -> Split:
    """The side of a customer, conversation or text."""
    position = share(unit, SALT)
    if position < benchmark_share:
        return "benchmark"
    return "development" if position < benchmark_share + development_share else "train"
