"""Measure training on public data: `python -m bench.training [--heads classify,tag,generate] [--full]`.

Per head: items a second of wall and CPU time through one pass of the loop as the trainer runs it (adapter, head, bf16
where the processor has it, lengths in buckets). With --full: BANKING77 whole, seconds to each epoch and to the final
figures against the probe. The last line is JSON. Threads come from STILL_THREADS.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from schemas.ids import stable_id, text_hash
from still.front import configure_logs
from still.training import labelled_file, track_for
from streams.simulate.settings import SimulateSettings
from streams.simulate.simulate import contacts
from trainers.bases.load import Bases, BaseSettings
from trainers.batches import Policy
from trainers.compose import compose
from trainers.evaluate import evaluate
from trainers.items import Item, choose, render
from trainers.pool import Pool, read_pool
from trainers.probe import train_probe
from trainers.tracks import Track, load_track
from trainers.train import train

DATA = Path(__file__).parents[2] / "shared/data"
SOURCES = {
    "classify": ("intent", "banking77", DATA / "polyai/banking_data/train.csv"),
    "tag": ("entities", "restaurant8k", DATA / "polyai/span_extraction/restaurant8k/train_0.json"),
}
ITEMS = 1_024


@dataclass(frozen=True, slots=True)
class Speed:
    """Items a second by wall clock and by CPU time, and the metric on development."""

    items: int
    per_s: float
    per_cpu_s: float
    development: float | None


def main() -> None:
    """Measure and print."""
    configure_logs()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--heads", default="classify,tag,generate")
    parser.add_argument("--full", action="store_true", help="also BANKING77 whole: minutes")
    asked = parser.parse_args()
    bases = Bases(BaseSettings(threads=int(os.environ.get("STILL_THREADS", "1"))))
    figures: dict[str, Any] = {}
    for head in asked.heads.split(","):
        speed = _speed(*_learnable(head), bases)
        figures[head] = {"per_s": round(speed.per_s, 1), "per_cpu_s": round(speed.per_cpu_s, 1)}
        print(f"{head:9} {speed.items:6} items  {speed.per_s:8.1f}/s  {speed.per_cpu_s:8.1f}/CPU s", flush=True)
    if asked.full:
        figures["banking77"] = _full(bases)
    print(json.dumps(figures))


def _learnable(head: str) -> tuple[Track, list[Item], list[Item]]:
    """A track with some training items and some for development."""
    if head == "generate":
        replies = _replies()
        return load_track("response"), replies[:ITEMS], replies[ITEMS : ITEMS + 64]
    track, pool = _public(head)
    return track, choose(pool.fresh, ITEMS, 1), choose(pool.development, 64, 1)


def _public(head: str) -> tuple[Track, Pool]:
    task, form, source = SOURCES[head]
    with labelled_file(source, form, None) as file:
        track = track_for(task, None, file)
        return track, read_pool(file, track)


def _replies() -> list[Item]:
    """What the simulated shop's agents say, in its context."""
    found = []
    for contact in contacts(SimulateSettings(0, 600), 5, "bench"):
        said = [message for turn in contact.turns for message in turn.messages]
        for place, message in enumerate(said):
            if message["role"] == "assistant" and message.get("content") and place:
                found.append(_reply(contact.number, place, said))
    return found


def _reply(number: int, place: int, said: list[dict[str, Any]]) -> Item:
    before = said[:place]
    text = render(before, 3)
    return Item(
        id=stable_id(number, place), task="response", text=text, target=said[place]["content"], label="text",
        bucket="response/text", conversation_id=str(number), customer=None, weight=1.0, origin="production",
        text_hash=text_hash(text), messages=before,
    )  # fmt: skip


def _speed(track: Track, items: list[Item], development: list[Item], bases: Bases) -> Speed:
    """Two runs of one and of two epochs: their difference is one epoch without what begins and ends a run."""
    taken = []
    for epochs in (1, 2):
        wall, cpu = time.monotonic(), time.process_time()
        trained = train(replace(track, epochs=epochs, patience=epochs), items, development, bases=bases)
        trained.predictor.close()
        taken.append((time.monotonic() - wall, time.process_time() - cpu))
    wall, cpu = (max(1e-9, two - one) for one, two in zip(*taken, strict=True))
    return Speed(len(items), len(items) / wall, len(items) / cpu, trained.development.value)


def _full(bases: Bases) -> dict[str, Any]:
    """BANKING77 whole with the shipped track: seconds, and accuracy on its held-out part beside the probe's."""
    track, pool = _public("classify")
    policy = Policy(
        task=track.task, label_set=track.label_set, max_items=track.max_items,
        replay_share=track.replay_share, seed=track.seed,
    )  # fmt: skip
    batch = compose(pool, policy)
    began = time.monotonic()
    probe = evaluate(train_probe(track, batch.items, bases), pool.benchmark, track)
    probed = time.monotonic()
    trained = train(track, batch.items, pool.development, bases=bases)
    seconds = time.monotonic() - probed
    ours = evaluate(trained.predictor, pool.benchmark, track)
    print(
        f"banking77 {len(batch.items):6} items, {len(trained.epochs)} epochs in {seconds:.0f} s: accuracy "
        f"{ours.value:.4f} [{ours.low:.4f}, {ours.high:.4f}], n={ours.n}; probe {probe.value:.4f} in "
        f"{probed - began:.0f} s",
        flush=True,
    )
    return {"seconds": round(seconds, 1), "accuracy": ours.value, "probe": probe.value, "epochs": len(trained.epochs)}


if __name__ == "__main__":
    main()
