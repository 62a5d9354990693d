"""`still demo`: from nothing to trained adapters on this machine; ends by itself with a summary."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from sinks.clickhouse.client import Client
from still import wiring
from still.commands.up import start_processes
from still.demo import report, traffic
from still.embedded.errors import EmbeddedError
from still.embedded.stack import EmbeddedStack, embedded_stack
from still.errors import UserError
from still.output import console
from still.settings import Settings, load
from still.training import explained, service
from trainers.service import TrainerService, last_watermark
from trainers.tracks import Track, load_tracks

ROUNDS = 2
AMOUNT = traffic.Amount(conversations=900, benchmark=80, development=400)
"""Half of development certifies a coverage: for 5 % error that takes at least 107 sure answers without a mistake."""
MOST_ITEMS = 700
"""Items of one round: what a track learns from in the demo's time; all of development is measured."""
QUESTION = "hi, I would like to send back the lamp I bought last week"
_NEXT = {
    "make up": "keep the stack running; then, in another terminal:",
    ".venv/bin/still sql 'SELECT * FROM coverage'": "buckets: where production is thin",
    ".venv/bin/still models list": "every version with its verdict",
    ".venv/bin/still predict --task intent 'where is my parcel?'": "ask a champion",
    ".venv/bin/still simulate -n 200": "more traffic; the trainer of `make up` takes it",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    folder: Annotated[Path | None, typer.Option(help="Data, logs, registry; STILL_FOLDER")] = None,
    conversations: Annotated[int, typer.Option(help="Contacts of simulated customers", min=50)] = AMOUNT.conversations,
) -> None:
    """Simulated customers to trained adapters: stream, ClickHouse, two rounds of every track, model events, summary."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))  # the bars say what goes on
    began = time.monotonic()
    settings = load(**({} if folder is None else {"folder": folder}))
    amount = replace(AMOUNT, conversations=conversations)
    try:
        with explained(), embedded_stack(settings.folder) as running, _bars() as bars:
            _start(running, settings.folder, bars)
            _run(load(folder=settings.folder), amount, bars)
    except EmbeddedError as error:
        raise UserError(str(error)) from None
    console().print(f"\ndone in {time.monotonic() - began:.0f} s; everything is kept in {settings.folder}")


def _start(running: EmbeddedStack, folder: Path, bars: Progress) -> None:
    line = bars.add_task("broker, ClickHouse, sink, worker", total=1)
    start_processes(running, folder, ("sink", "worker"), {"STILL_INACTIVITY_SECONDS": "8"})
    bars.update(line, completed=1)


def _run(settings: Settings, amount: traffic.Amount, bars: Progress) -> None:
    client = wiring.clickhouse(settings)
    _fill(settings, client, amount, bars)
    told = _Told(bars)
    # One trainer for all tracks: they share its resident bases.
    known = load_tracks(settings.tracks).values()
    tracks = tuple(replace(track, max_items=min(track.max_items, MOST_ITEMS)) for track in known)
    trainer = service(settings, tracks, threading.Event(), told, ROUNDS)
    for track in tracks:
        _learn(trainer, track, told)
    _answer(settings, bars)
    bars.stop()
    found = report.learned(wiring.registry(settings).events(), {track.task: track.label_set for track in tracks})
    report.show(console(), client, found, _NEXT)


def _fill(settings: Settings, client: Client, amount: traffic.Amount, bars: Progress) -> None:
    wanted = traffic.traffic_ids(amount.conversations)
    line = bars.add_task(f"{amount.conversations} conversations", total=1)
    if traffic.landed(client, wanted) != wanted:
        traffic.publish_traffic(settings, amount.conversations, lambda share: bars.update(line, completed=share / 2))
        traffic.await_landed(client, wanted, lambda share: bars.update(line, completed=0.5 + share / 2))
    bars.update(line, completed=1)
    line = bars.add_task("labels of other customers", total=1)
    judged = traffic.import_ground_truth(settings, "benchmark", amount.benchmark)
    traffic.await_items(client, judged + traffic.import_ground_truth(settings, "development", amount.development))
    bars.update(line, completed=1)


def _learn(trainer: TrainerService, track: Track, told: _Told) -> None:
    told.begin(track.task)
    if not _is_trained(trainer, track):
        trainer.train(track, wait_s=60.0)
    told.end()


def _is_trained(trainer: TrainerService, track: Track) -> bool:
    """Whether a run has used everything that is there: a second demo re-uses its versions."""
    events = trainer.publisher.registry.events()
    mark = last_watermark(events, track.task, track.label_set)
    return mark is not None and trainer.store.freshness(track.task, track.label_set, mark).count == 0


class _Told:
    """A line for each track: whole rounds done, plus the share of the present one."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._line = TaskID(0)
        self._task = ""

    def begin(self, task: str) -> None:
        self._task, self._line = task, self._bars.add_task(task, total=ROUNDS)

    def __call__(self, what: str, share: float) -> None:
        number = int(what.split()[1].rstrip(":")) if what.startswith("round ") else 1
        done = number - 1 + min(share, 0.95)
        self._bars.update(self._line, completed=done, description=f"{self._task}: {what}")

    def end(self) -> None:
        self._bars.update(self._line, completed=ROUNDS, description=self._task)


def _answer(settings: Settings, bars: Progress) -> None:
    """Let a subscriber in another process load a champion and answer."""
    promoted = [event.task for event in wiring.registry(settings).events() if event.kind == "promoted"]
    if not promoted:
        bars.console.print("no version passed its gate, so no champion answers: the teacher goes on alone")
        return
    task = "intent" if "intent" in promoted else promoted[0]
    argv = [sys.executable, "-m", "still", "predict", "--task", task, QUESTION]
    here = {**os.environ, "STILL_FOLDER": str(settings.folder.absolute())}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=here)
    bars.console.print(f"another process subscribes and answers {QUESTION!r}:", highlight=False)
    bars.console.print(f"  {(done.stdout or done.stderr).strip()}", highlight=False)


@contextmanager
def _bars() -> Iterator[Progress]:
    columns = (TextColumn("{task.description:<36}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        yield bars
