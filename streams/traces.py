"""How the store knows a labelled line: what a file that is trained on directly is compared by with the benchmark."""

from __future__ import annotations

from schemas.ids import customer_hash
from schemas.records import Messages, Provenance, Task
from streams.bucket import input_hash
from streams.redact import redact
from streams.settings import RedactSettings
from streams.values import Draft

_NOWHERE = Provenance("file", "labels", 0, 0)


def customer_of(customer_id: str | None, settings: RedactSettings) -> str | None:
    """The customer's hash in the store; None for nobody."""
    return customer_hash(customer_id, settings.key) if customer_id else None


def words_of(task: Task, messages: Messages, customer_id: str | None, settings: RedactSettings) -> str:
    """The hash that an example with these messages has for its words, after redaction."""
    draft = Draft(
        conversation_id="-",
        revision=1,
        provenance=_NOWHERE,
        messages=messages,
        closed_by="conversation",
        events=1,
        customer_id=customer_id,
        labels=[{"task": task, "message": len(messages) - 1, "target": []}] if task == "entities" else [],
    )
    return input_hash(task, redact(draft, settings).messages)
