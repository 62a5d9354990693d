"""`still train`: rounds of one track now, on the store or on a labelled data file read directly."""

from __future__ import annotations

import sys
from pathlib import Path
from threading import Event
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table

from still.output import console, number
from still.settings import Settings, load
from still.training import (
    bar,
    bases,
    explained,
    labelled_file,
    later_announcer,
    now_us,
    pool_of,
    publisher,
    service,
    track_for,
)
from trainers.learner import TrackLearner
from trainers.lock import only_trainer
from trainers.rounds import Report, Round, Run, RunSettings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("train")(train)


def train(  # noqa: PLR0913, PLR0917 - one parameter for each option
    task: Annotated[str, typer.Option(help="intent, entities, response, tools or safety")],
    label_set: Annotated[str | None, typer.Option(help="Default: the track's, or the only one in --data")] = None,
    data: Annotated[Path | None, typer.Option(help="Train on this labelled file alone, unchanged")] = None,
    form: Annotated[
        str, typer.Option("--format", help="Of --data: jsonl, banking77, restaurant8k, davidson, garak")
    ] = "jsonl",
    rounds: Annotated[int | None, typer.Option(help="At most so many; default: the track's", min=1)] = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for another training run to end")] = 600.0,
    require_pass: Annotated[bool, typer.Option(help="Exit 1 unless a version passed its gate")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON")] = False,
) -> None:
    """Train rounds of one track now; the exit status is 0 whatever the verdict, unless --require-pass."""
    settings = load()
    with explained():
        if data is None:
            report = _from_store(settings, task, label_set, (rounds, wait))
        else:
            report = _from_file(settings, task, label_set, (rounds, wait), (data, form))
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(as_plain(report), option=orjson.OPT_INDENT_2) + b"\n")
    else:
        _print(report)
    if require_pass and report.promoted is None:
        raise typer.Exit(1)


def _from_store(settings: Settings, task: str, label_set: str | None, limits: tuple[int | None, float]) -> Report:
    track = track_for(task, label_set, None, settings.tracks)
    with bar() as shown:
        return service(settings, (track,), Event(), shown, limits[0]).train(track, wait_s=limits[1])


def _from_file(
    settings: Settings,
    task: str,
    label_set: str | None,
    limits: tuple[int | None, float],
    source: tuple[Path, str],
) -> Report:
    out, folder = publisher(settings, later_announcer(settings)), settings.folder / "trainer"
    with labelled_file(*source, label_set) as file, bar() as shown:
        track = track_for(task, label_set, file, settings.tracks)
        pool = pool_of(file, source[0], track, settings)
        with only_trainer(folder, limits[1]):
            out.heal()
            learner = TrackLearner(track, bases(settings))
            return Run(track, pool, learner, out, RunSettings(folder, now_us, limits[0]), shown).rounds()


def as_plain(report: Report) -> dict[str, Any]:
    """The report as JSON: rounds with verdicts, figures, gaps and samples."""
    promoted = report.promoted
    return {
        "run_id": report.run_id,
        "stopped": report.stopped,
        "promoted": promoted.adapter if promoted else None,
        "rounds": [_plain_round(one) for one in report.rounds],
    }


def _plain_round(one: Round) -> dict[str, Any]:
    return {
        "round": one.number,
        "adapter": one.event.adapter,
        "kind": one.event.kind,
        "gate": one.gate,
        "metrics": one.event.metrics,
        "batch": {name: one.batch[name] for name in ("sha256", "rows", "fresh", "replay", "left_out")},
        "gaps": one.needs.gaps[:10],
        "samples": one.samples,
    }


def _print(report: Report) -> None:
    out = console()
    table = Table(
        "round", "adapter", "verdict", "against", "metric", "value", "95 % interval", "other", "rows", box=None
    )
    for one in report.rounds:
        ours, theirs = (next((m for m in one.event.metrics if m.subject in who), None) for who in _SUBJECTS)
        assert ours is not None
        table.add_row(
            str(one.number), one.event.adapter, one.gate.verdict, one.gate.against, ours.name,
            number(ours.value),
            f"{number(ours.low)} to {number(ours.high)}", number(theirs.value if theirs else None),
            str(one.batch["rows"]),
        )  # fmt: skip
    out.print(table)
    for one in report.rounds:
        for reason in one.gate.reasons:
            out.print(f"round {one.number}: {reason}", markup=False, highlight=False)
    for sample in report.rounds[-1].samples if report.rounds[-1].event.head == "generate" else ():
        for name in ("input", "target", "output"):
            out.print(f"  {name}: {sample[name]}", markup=False, highlight=False)
    out.print(f"stopped: {report.stopped}", markup=False, highlight=False)


_SUBJECTS = (("candidate",), ("champion", "probe"))
