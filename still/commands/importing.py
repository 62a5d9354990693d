"""`still import`: conversations of other formats, audited per file against the file's own figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from still.capture import open_publisher, reported
from still.settings import load
from streams.bulk import publish_all
from streams.errors import EventTooLarge, ImportFault
from streams.importers.audit import FileAudit, audit
from streams.importers.openai_chat import read_openai_chat
from streams.importers.source import Found, Importer, files_of
from streams.importers.split import fitting
from streams.importers.tau2_bench import read_tau2_bench
from streams.importers.tau_bench import read_tau_bench
from streams.publisher import Publisher


@dataclass(frozen=True, slots=True)
class _Cut:
    """A conversation of a file and the events that it is sent as; a fault stands for itself."""

    whole: Found | ImportFault
    parts: Sequence[Found | ImportFault]


Paths = Annotated[list[Path], typer.Argument(help="Files, or folders of them")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Read and audit only; publish nothing")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the audit as JSON")]


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(help="Import conversations of other formats.", no_args_is_help=True)
    group.command("tau-bench")(tau_bench)
    group.command("tau2-bench")(tau2_bench)
    group.command("openai-chat")(openai_chat)
    app.add_typer(group, name="import")


def tau_bench(paths: Paths, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Import tau-bench trajectories."""
    _import(read_tau_bench, files_of_or_fail(paths, (".json",)), dry_run=dry_run, as_json=as_json)


def tau2_bench(paths: Paths, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Import tau2-bench results, and SFT records (JSONL) without an outcome."""
    _import(read_tau2_bench, files_of_or_fail(paths, (".json", ".jsonl")), dry_run=dry_run, as_json=as_json)


def openai_chat(paths: Paths, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Import OpenAI chat JSONL: {"messages": [...], "tools"?, "id"?}."""
    _import(read_openai_chat, files_of_or_fail(paths, (".jsonl",)), dry_run=dry_run, as_json=as_json)


def files_of_or_fail(paths: list[Path], suffixes: tuple[str, ...]) -> list[Path]:
    """The files meant; raises `UserError` for a path that is not there."""
    with reported():
        return files_of(paths, suffixes)


def _import(read: Importer, files: list[Path], *, dry_run: bool, as_json: bool) -> None:
    shown = track(files, "importing", console=Console(stderr=True), transient=True)
    places: dict[str, str] = {}
    if dry_run:
        audits = [audit(file.name, (cut.whole for cut in _cut(read, file)), places) for file in shown]
    else:
        with open_publisher(load()) as publisher:
            audits = [audit(file.name, _confirmed(publisher, list(_cut(read, file))), places) for file in shown]
    _print(audits, as_json=as_json, published=not dry_run)
    raise typer.Exit(1 if any(one.faults for one in audits) else 0)


def _cut(read: Importer, file: Path) -> Iterator[_Cut]:
    """What the file holds, ready to be sent; a conversation of which a part cannot be sent is a fault as a whole."""
    for item in _items(read, file):
        if isinstance(item, ImportFault):
            yield _Cut(item, [item])
            continue
        try:
            yield _Cut(item, [replace(item, event=part) for part in fitting(item.event)])
        except EventTooLarge as error:
            fault = item.fault(str(error))
            yield _Cut(fault, [fault])


def _items(read: Importer, file: Path) -> Iterator[Found | ImportFault]:
    """The file's conversations; a file that is of another format is one fault, the others are still read."""
    try:
        yield from read(file)
    except ImportFault as fault:
        yield fault


def _confirmed(publisher: Publisher, cuts: list[_Cut]) -> Iterator[Found | ImportFault]:
    """Each conversation once the broker has all of it, else the fault of its first part that it has not."""
    answers = publish_all(publisher, (part for cut in cuts for part in cut.parts))
    for cut in cuts:
        # One answer a part, in their order.
        given = list(islice(answers, len(cut.parts)))
        yield next((answer for answer in given if isinstance(answer, ImportFault)), cut.whole)


def _print(audits: list[FileAudit], *, as_json: bool, published: bool) -> None:
    for fault in (fault for one in audits for fault in one.faults):
        typer.echo(f"error: {fault}", err=True)
    for repeat in (repeat for one in audits for repeat in one.repeats):
        typer.echo(f"note: {repeat}", err=True)
    if as_json:
        typer.echo(orjson.dumps([asdict(one) for one in audits]).decode())
        return
    # Off a terminal rich assumes 80 columns and would fold file names.
    width = None if Console().is_terminal else 132
    Console(width=width).print(_table(audits, "published" if published else "read, nothing published"))


def _table(audits: list[FileAudit], title: str) -> Table:
    table = Table(title=f"Conversations {title}; (n) = of n the value is unknown")
    for name in ("file", "conversations", "no outcome", "rewards", "cost USD", "tokens", "seconds", "faults"):
        table.add_column(name, justify="left" if name == "file" else "right", no_wrap=name == "file")
    for one in audits:
        tokens = None if one.prompt_tokens is None else one.prompt_tokens + (one.completion_tokens or 0)
        table.add_row(
            one.file,
            str(one.conversations),
            str(one.without_outcome),
            "-" if one.without_outcome == one.conversations else _figure(one.rewards, one.rewards_unknown, "g"),
            _figure(one.cost_usd, one.costs_unknown, ".6f"),
            _figure(tokens, one.tokens_unknown, "d"),
            _figure(one.duration_s, one.durations_unknown, ".1f"),
            str(len(one.faults)),
        )
    table.add_row("total", str(sum(a.conversations for a in audits)), str(sum(a.without_outcome for a in audits)))
    return table


def _figure(value: Any, unknown: int, form: str) -> str:
    known = "unknown" if value is None else format(value, form)
    return f"{known} ({unknown})" if unknown else known
