"""`still models list|show|build-base`: adapter versions as the registry's events tell them, without broker or torch."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from schemas.adapters import fold
from schemas.codec import to_json
from schemas.records import TASKS, ModelEvent
from sinks.errors import SinkError
from still.errors import UserError
from still.output import console, number
from still.settings import load
from still.wiring import registry


def register(app: typer.Typer) -> None:
    """Add the commands."""
    models = typer.Typer(help="List and show adapter versions", no_args_is_help=True)
    models.command("list")(list_models)
    models.command("show")(show)
    models.command("build-base")(build_base)
    app.add_typer(models, name="models")


def list_models(
    task: Annotated[str | None, typer.Option(help="Only this task")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> None:
    """All adapter versions with their state, verdict and main figure; * serves."""
    if task not in (None, *TASKS):
        raise UserError(f"--task {task!r} is not one of {', '.join(TASKS)}")
    states = fold(_events())
    serving = {event.adapter for event in states.champions().values()}
    versions = [event for event in states.newest.values() if task in (None, event.task)]
    versions.sort(key=lambda event: (event.task, event.number))
    if as_json:
        _write([_plain(event, champion=event.adapter in serving) for event in versions])
        return
    table = Table("", "adapter", "label set", "state", "verdict", "metric", "value", "95 % interval", "made", box=None)
    for event in versions:
        row = _plain(event, champion=event.adapter in serving)
        interval = f"{number(row['low'])} to {number(row['high'])}"
        table.add_row(
            "*" if row["champion"] else "", event.adapter, event.label_set, event.kind, row["verdict"] or "none",
            row["metric"] or "none", number(row["value"]), interval, row["made"],
        )  # fmt: skip
    console().print(table if versions else "no adapter version yet; `still train` makes one")


def show(
    name: Annotated[str, typer.Argument(help="An adapter's name, or a task for its champions")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> None:
    """Everything that is known about one adapter version."""
    events = _events()
    champions = {event.adapter for (task, _), event in fold(events).champions().items() if task == name}
    life = [event for event in events if event.adapter == name or event.adapter in champions]
    if not life:
        what = f"{name} has no champion yet" if name in TASKS else f"there is no adapter {name!r}"
        raise UserError(f"{what}; see `still models list`")
    if as_json:
        _write([to_json(event) for event in life])
        return
    out = console()
    for event in life:
        out.print(f"{_time(event)}  {event.kind:<10} {event.adapter}", highlight=False)
    _details(out, life[-1])


def build_base(
    out: Annotated[Path, typer.Option(help="Folder to make, a plain transformers folder")],
    seed: Annotated[int, typer.Option(help="Equal seeds give equal files on one kind of machine")] = 1,
    steps: Annotated[int, typer.Option(help="Training steps", min=1)] = 700,
) -> None:
    """Build the small decoder base from the project's own text, on one thread; prints its record with all digests."""
    # A process of its own: it alone loads torch, and its thread count belongs to what the digests depend on.
    argv = [sys.executable, "-m", "trainers.bases.build", "--out", str(out), "--seed", str(seed), "--steps", str(steps)]
    done = subprocess.run(argv, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"})
    if done.returncode:
        raise UserError(f"the base was not built (exit status {done.returncode}); see above")


def _details(out: Console, event: ModelEvent) -> None:
    where = event.artifact.uri if event.artifact else "unknown"
    out.print(f"\nfolder   {where}\nbase     {event.base_model}\nbatch    {event.batch}", highlight=False)
    parent = event.lineage.get("parent") or "none"
    out.print(f"run      {event.run_id}, round {event.round}; champion before: {parent}", highlight=False)
    for reason in event.gate.reasons if event.gate else ():
        out.print(f"gate     {reason}", markup=False, highlight=False)
    if event.routing is not None:
        sure = event.routing
        found = "no coverage is certified"
        if sure.threshold is not None:
            found = f"{number(sure.coverage)} of the items, from confidence {number(sure.threshold)} on"
        out.print(f"routing  {found} (error {sure.alpha:.0%} at most, held-out items)", highlight=False)
    table = Table("who", "on", "metric", "value", "95 % interval", "items", box=None)
    for m in event.metrics:
        table.add_row(m.subject, m.on, m.name, number(m.value), f"{number(m.low)} to {number(m.high)}", str(m.n))
    out.print(table)


def _events() -> list[ModelEvent]:
    try:
        return registry(load()).events()
    except SinkError as error:
        raise UserError(str(error)) from None


def _plain(event: ModelEvent, *, champion: bool) -> dict[str, Any]:
    main = next((m for m in event.metrics if m.subject == "candidate"), None)
    return {
        "adapter": event.adapter,
        "task": event.task,
        "label_set": event.label_set,
        "state": event.kind,
        "champion": champion,
        "verdict": event.gate.verdict if event.gate else None,
        "metric": main.name if main else None,
        "value": main.value if main else None,
        "low": main.low if main else None,
        "high": main.high if main else None,
        "round": event.round,
        "made": _time(event),
    }


def _time(event: ModelEvent) -> str:
    return datetime.fromtimestamp(event.occurred_at / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _write(value: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")
