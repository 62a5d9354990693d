"""The model card of an adapter version: what it is, how it does, what it learned from, as README.md in its folder.

Figures and counts only: no example's words, because the folder travels further than the data may.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from schemas.records import Gate, Metric, ModelEvent

CARD = "README.md"


def write_card(folder: Path, event: ModelEvent, batch: Mapping[str, Any]) -> None:
    """Write the model card of a version into its folder, before it is sealed."""
    (folder / CARD).write_text(model_card(event, batch), encoding="utf-8")


def model_card(event: ModelEvent, batch: Mapping[str, Any]) -> str:
    """The card as Markdown with the front matter that model hubs read."""
    parts = [
        _front(event),
        _what(event),
        _figures(event.metrics),
        _verdict(event.gate),
        _routing(event),
        _data(batch),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front(event: ModelEvent) -> str:
    tags = "".join(f"\n- {tag}" for tag in ("lora", "stillstream", event.task))
    return f"---\nlibrary_name: peft\nbase_model: {event.base_model}\ntags:{tags}\n---"


def _what(event: ModelEvent) -> str:
    labels = f" Labels: {', '.join(f'`{label}`' for label in event.labels)}." if event.labels else ""
    warm = event.lineage.get("warm_from")
    return (
        f"# {event.task} {event.number:05d}\n\n"
        f"LoRA adapter (rank {event.rank} on {', '.join(event.target_modules)}) of `{event.base_model}` at "
        f"`{event.base_revision[:12]}`, head `{event.head}`, label set `{event.label_set}`.{labels}\n\n"
        f"Run `{event.run_id}`, round {event.round}; trained from {f'`{warm}`' if warm else 'the base'}; "
        f"champion before it: {event.lineage.get('parent') or 'none'}."
    )


def _figures(metrics: Sequence[Metric]) -> str:
    lines = [f"| {m.subject} | {m.on} | {m.name} | {_number(m.value)} | {_interval(m)} | {m.n} |" for m in metrics]
    head = "## Figures\n\n| who | on | metric | value | 95 % interval | items |\n|---|---|---|---|---|---|\n"
    return head + "\n".join(lines)


def _verdict(gate: Gate | None) -> str:
    if gate is None:
        return ""
    return f"## Gate: {gate.verdict}\n\nAgainst {gate.against}, by {gate.test}.\n" + "".join(
        f"\n- {reason}" for reason in gate.reasons
    )


def _routing(event: ModelEvent) -> str:
    routing = event.routing
    if routing is None:
        return ""
    n = next((m.n for m in event.metrics if m.on.startswith("calibration")), 0)
    promise = f"an error of at most {routing.alpha:.0%} at confidence {1 - routing.delta:.0%}"
    if routing.threshold is None:
        found = (
            f"No coverage is certified to have {promise} by {n} calibration items: nothing should be routed to it yet."
        )
    else:
        found = (
            f"From confidence {routing.threshold:.4f} on it answers {routing.coverage:.1%} with {promise} (exact "
            f"binomial bound, Bonferroni over the declared coverages, {n} calibration items)."
        )
    return (
        f"## Routing\n\n{found} Those items neither trained it, chose its epoch or a batch, nor judged it; the bound "
        "takes them as independent, although one conversation may give several, and they are admitted examples: harder "
        "or out-of-scope traffic errs more often. Audit it where it serves."
    )


def _data(batch: Mapping[str, Any]) -> str:
    left_out = ", ".join(f"{n} {reason}" for reason, n in batch["left_out"].items()) or "none"
    source = orjson.dumps(batch["query"]).decode()
    return (
        f"## Data\n\nBatch `{batch['sha256']}`: {batch['rows']} examples, {batch['fresh']} fresh and {batch['replay']} "
        f"replayed, in {len(batch['buckets'])} buckets, chosen by `{source}` up to watermark `{batch['watermark']}`. "
        f"Left out: {left_out}.\n\n"
        "Licence: the weights here were trained on the examples above, whose own terms hold; the base model's licence "
        "holds for the base, which is not in this folder."
    )


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f}"


def _interval(metric: Metric) -> str:
    return "unknown" if metric.low is None else f"{_number(metric.low)} to {_number(metric.high)}"
