"""Measure the pure steps on the public conversations: `python -m bench.steps [--profile]`.

Prints examples by task, source and difficulty, recall and precision of redaction, and, as JSON in the last line, the
conversations a second of CPU time that one core redacts and distills (from bytes to bytes, as the worker does).
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from schemas import codec
from schemas.records import Conversation, ConversationEvent, Example, Provenance
from streams.compose import Placed, compose
from streams.distill import distill
from streams.importers.source import events_in
from streams.importers.tau2_bench import read_tau2_bench
from streams.importers.tau_bench import read_tau_bench
from streams.redact import redact
from streams.redact.patterns import find
from streams.settings import DistillSettings, RedactSettings
from streams.values import Draft

DATA = Path(__file__).parents[2] / "shared/data"
SETTINGS = DistillSettings()
SECRET = RedactSettings(b"a key for benchmarks, 32 bytes..")
KINDS = {
    "EMAIL_ADDRESS": "email", "CREDIT_CARD": "card", "IBAN_CODE": "iban", "US_SSN": "ssn", "IP_ADDRESS": "ip",
    "PHONE_NUMBER": "phone", "ADDRESS": "address", "PERSON": "person",
}  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", action="store_true", help="also print the ten functions that cost most")
    arguments = parser.parse_args()
    drafts = [draft for event in events() if (draft := compose([Placed(0, event)], 1, Provenance("k", "t", 0, 0)))]
    raw = [codec.encode(redact(draft, SECRET)) for draft in drafts]
    figures: dict[str, Any] = {
        "conversations": len(raw),
        "bytes": round(sum(map(len, raw)) / len(raw)),
        "redact_per_s": _per_second(lambda: _redact(drafts), len(raw)),
        "distill_per_s": _per_second(lambda: _distill(raw), len(raw)),
    }
    _print_examples([example for data in raw for example in distill(_decoded(data), SETTINGS, None).examples])
    figures |= {"redaction": _redaction()}
    if arguments.profile:
        profile = cProfile.Profile()
        profile.runcall(lambda: _distill(raw))
        pstats.Stats(profile).sort_stats("tottime").print_stats(10)
    print(json.dumps(figures))


def events() -> list[ConversationEvent]:
    """All public tau conversations as events."""
    runs = [read_tau_bench(file) for file in sorted((DATA / "tau-bench/dev").glob("*.json"))]
    runs += [read_tau2_bench(file) for file in sorted((DATA / "tau2-bench/dev").glob("*.json"))]
    return [event for run in runs for event in events_in(run)]


def _decoded(data: bytes) -> Conversation:
    return codec.decode(data, Conversation)


def _redact(drafts: Sequence[Draft]) -> None:
    for draft in drafts:
        codec.encode(redact(draft, SECRET))


def _distill(raw: Sequence[bytes]) -> None:
    for data in raw:
        distilled = distill(_decoded(data), SETTINGS, None)
        codec.encode(distilled.score)
        for example in distilled.examples:
            codec.encode(example)


def _per_second(work: Callable[[], None], n: int, rounds: int = 5) -> float:
    """Median of several rounds, by CPU time: other processes of the machine do not count."""
    rates = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        rates.append(n / (time.process_time() - start))
    return round(median(rates), 1)


def _print_examples(examples: Sequence[Example]) -> None:
    rows: Counter[tuple[str, str, str]] = Counter((e.task, e.label_source, e.difficulty) for e in examples)
    admitted = Counter(e.task for e in examples if e.admitted)
    for (task, source, level), count in sorted(rows.items()):
        print(f"{task:10} {source:15} {level:8} {count:6}")
    for task, count in sorted(admitted.items()):
        print(f"{task:10} admitted {count} of {sum(e.task == task for e in examples)}")


def _redaction() -> dict[str, Any]:
    """Recall by kind (spans that are covered whole) and precision (places that meet any span)."""
    found, total, right, places = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for sentence in json.loads((DATA / "presidio/generated_large.json").read_text(encoding="utf-8")):
        spots = find(sentence["full_text"])
        spans = defaultdict(list)
        for span in sentence["spans"]:
            spans[KINDS.get(span["entity_type"], "")].append((span["start_position"], span["end_position"]))
        for kind, sides in spans.items():
            total[kind] += len(sides)
            found[kind] += sum(any(p.start <= start and end <= p.end for p in spots) for start, end in sides)
        every = [side for sides in spans.values() for side in sides]
        for spot in spots:
            places[spot.kind] += 1
            right[spot.kind] += any(spot.start < end and start < spot.end for start, end in every)
    table = {
        kind: {
            "recall": round(found[kind] / total[kind], 3),
            "precision": round(right[kind] / places[kind], 3) if places[kind] else None,
            "n": total[kind],
        }
        for kind in KINDS.values()
    }
    for kind, row in table.items():
        print(f"{kind:10} recall {row['recall']:.3f}  precision {row['precision']}  n {row['n']}")
    return table


if __name__ == "__main__":
    main()
