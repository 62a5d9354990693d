"""Items of tests of the training loop: an intent track whose words tell the label."""

from typing import Any

from schemas.ids import text_hash
from schemas.records import Split
from trainers.items import Item

WORDS = {"refund": "money back", "track": "where is it", "cancel": "stop the order"}


def item(number: int, label: str = "refund", split: Split = "train", **changes: Any) -> Item:
    """An item whose text holds its label's words and its own number in letters."""
    name = "".join("abcdefghij"[int(digit)] for digit in str(number))
    text = changes.pop("text", f"{WORDS[label]} {name} {split}")
    values: dict[str, Any] = {
        "id": f"{split}-{number:05d}",
        "task": "intent",
        "text": text,
        "target": label,
        "label": label,
        "bucket": f"intent/{label}/easy/en/production",
        "conversation_id": f"conversation-{split}-{number}",
        "customer": f"customer-{split}-{number}",
        "weight": 1.0,
        "origin": "production",
        "text_hash": text_hash(text),
        "split": split,
        "messages": [{"role": "user", "content": text}],
    }
    return Item(**{**values, **changes})


def items(count: int, split: Split = "train", first: int = 0) -> list[Item]:
    """Items with the three labels in turn."""
    return [item(n, list(WORDS)[n % 3], split) for n in range(first, first + count)]
