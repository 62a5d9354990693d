"""What the learners' tests learn: tracks, and items that even the smallest model can tell apart."""

import random
from dataclasses import replace
from typing import Any

from schemas.ids import text_hash
from schemas.records import Json, Messages, Split, Task
from trainers.items import Item, render
from trainers.tracks import Track

INTENT = Track(
    task="intent",
    label_set="tiny",
    kind="encoder",
    head="classify",
    metric="accuracy",
    margin=0.05,
    target_modules=("query", "value"),
    epochs=3,
    max_tokens=16,
    learning_rate=5e-3,
    min_paired=10,
)
ENTITIES = replace(INTENT, task="entities", head="tag", metric="span_f1", min_paired=50)
RESPONSE = replace(
    INTENT,
    task="response",
    kind="decoder",
    head="generate",
    metric="token_loss",
    target_modules=("q_proj", "v_proj", "up_proj", "down_proj"),
    epochs=8,
    patience=8,
    max_tokens=24,
    turns=4,
    learning_rate=1e-2,
    min_paired=50,
)
LOOP = replace(
    INTENT, label_set="shop", margin=0.01, max_items=500, min_fresh=10, max_age_s=3600, max_rounds=3, min_paired=50
)

WORDS = {"refund": "money back", "track": "where is it", "cancel": "stop the order"}


def item(task: Task, text: str, target: Json, *, number: int = 0, **changes: Any) -> Item:
    """An item of one customer message."""
    return item_of_chat(task, [{"role": "user", "content": text}], target, number=number, **changes)


def item_of_chat(task: Task, messages: Messages, target: Json, *, number: int = 0, **changes: Any) -> Item:
    """An item of a chat."""
    text = render(messages, 4)
    label = target if isinstance(target, str) and task != "response" else task
    values: dict[str, Any] = {
        "id": f"{task}-{number}",
        "task": task,
        "text": text,
        "target": target,
        "label": label,
        "bucket": f"{task}/{label}",
        "conversation_id": f"c-{number}",
        "customer": None,
        "weight": 1.0,
        "origin": "labelled",
        "text_hash": text_hash(text),
        "messages": messages,
    }
    return Item(**{**values, **changes})


def contact(number: int, label: str = "refund", split: Split = "train", **changes: Any) -> Item:
    """An intent of production whose text holds its label's words and its own number in letters."""
    name = "".join("abcdefghij"[int(digit)] for digit in str(number))
    own = {
        "id": f"{split}-{number:05d}",
        "bucket": f"intent/{label}/easy/en/production",
        "conversation_id": f"conversation-{split}-{number}",
        "customer": f"customer-{split}-{number}",
        "origin": "production",
        "split": split,
    }
    task, text = changes.pop("task", "intent"), changes.pop("text", f"{WORDS[label]} {name} {split}")
    return item(task, text, label, **{**own, **changes})


def contacts(count: int, split: Split = "train", first: int = 0) -> list[Item]:
    """Contacts with the three labels in turn."""
    return [contact(n, list(WORDS)[n % 3], split) for n in range(first, first + count)]


def intents(n: int, seed: int = 0) -> list[Item]:
    """Items whose intent is told by one word among others."""
    chance = random.Random(seed)
    told = {"late": "status", "refund": "money", "cancel": "stop"}
    items = []
    for number in range(n):
        word = chance.choice(sorted(told))
        words = [*chance.sample(["where", "is", "my", "order", "please", "lamp"], 3), word]
        chance.shuffle(words)
        items.append(item("intent", " ".join(words), told[word], number=number + 1000 * seed))
    return items


def spans(n: int, seed: int = 0) -> list[Item]:
    """Items with a day and sometimes a two-word thing to find."""
    chance = random.Random(seed)
    items = []
    for number in range(n):
        day = chance.choice(["monday", "tuesday"])
        text = f"it ships {chance.choice(['on', 'please'])} {day}"
        target = [{"start": text.index(day), "end": len(text), "label": "day"}]
        if chance.random() < 0.5:
            target.append({"start": len(text) + 1, "end": len(text) + 9, "label": "thing"})
            text += " red lamp"
        items.append(item("entities", text, target, number=number + 1000 * seed))
    return items


def replies(n: int, seed: int = 0) -> list[Item]:
    """Questions with the answers that an agent always gives."""
    chance = random.Random(seed)
    said = {"where is my order": "it ships on monday", "refund please": "we will return the money"}
    items = []
    for number in range(n):
        question = chance.choice(sorted(said))
        messages = [{"role": "user", "content": question}]
        items.append(item_of_chat("response", messages, said[question], number=number + 1000 * seed))
    return items
