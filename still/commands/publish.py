"""`still publish`: events from a JSONL file or standard input to the broker, each with a receipt."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import orjson
import typer

from still.capture import open_publisher
from still.errors import UserError
from still.settings import load
from streams.bulk import publish_all
from streams.errors import ImportFault, ProduceError
from streams.importers.event_lines import events_of
from streams.importers.source import Line, parse_lines, read_lines
from streams.publisher import Publisher


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("publish")(publish)


def publish(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="JSONL of events; - = standard input")],
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first broken line")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print each receipt as a JSON line")] = False,
) -> None:
    """Publish events; a broken line is named as file:line and nothing else is lost. Exit status 1 if any was broken."""
    name = "<stdin>" if file == "-" else file
    if file != "-" and not Path(file).is_file():
        raise UserError(f"{file} is no file; give a JSONL file, or - for standard input")
    lines = parse_lines(name, sys.stdin.buffer) if file == "-" else read_lines(Path(file))
    with open_publisher(load()) as publisher:
        sent, broken = _publish(publisher, name, lines, strict=strict, as_json=as_json)
    typer.echo(f"{sent} events published, {broken} broken lines", err=as_json)
    raise typer.Exit(1 if broken else 0)


def _publish(
    publisher: Publisher, name: str, lines: Iterable[Line | ImportFault], *, strict: bool, as_json: bool
) -> tuple[int, int]:
    sent = broken = 0
    for answer in publish_all(publisher, events_of(name, lines)):
        if isinstance(answer, (ImportFault, ProduceError)):
            broken += 1
            typer.echo(f"error: {answer}", err=True)
            if strict:
                break
        else:
            sent += 1
            if as_json:
                typer.echo(orjson.dumps(asdict(answer)).decode())
    return sent, broken
