"""`still sql "…"`: ask ClickHouse, whether the stack runs or not.

Where nothing answers and the embedded data folder is there, the engine is opened on it for this one query.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from sinks.clickhouse.client import READ_ONLY, Client
from sinks.errors import SinkError, Temporary
from still.embedded.lock import is_held
from still.embedded.stack import LOCK_NAME
from still.errors import UserError
from still.settings import Settings, load
from still.wiring import clickhouse

WIDEST = 10_000
"""Columns; no table that anyone reads is wider."""
_FORMAT = re.compile(r"\bFORMAT\s+\w+\s*;?\s*$", re.IGNORECASE)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sql")(sql)


def sql(
    query: Annotated[str, typer.Argument(help="The query; tables need no database name; {name:Type} is a parameter")],
    parameter: Annotated[list[str] | None, typer.Option("--param", "-p", help="name=value, as often as needed")] = None,
    write: Annotated[bool, typer.Option("--write", help="Let the statement change data and tables, too")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a row")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV with a header")] = False,
) -> None:
    """Ask ClickHouse; without a running stack, on its data folder. Only reads, unless --write is given."""
    if as_json and as_csv:
        raise UserError("--json and --csv exclude each other; choose one")
    if not query.strip():
        raise UserError("the query is empty; ask e.g. 'SELECT * FROM funnel'")
    parameters = dict(_pair(text) for text in parameter or ())
    try:
        with _client(load()) as client:
            found = client.columns(query, parameters, read_only=not write)
    except SinkError as error:
        raise UserError(f"{error}{_advice(error, query, write=write)}") from None
    rows = list(zip(*found.values, strict=True))
    if as_json:
        _print_json(found.names, rows)
    elif as_csv:
        _print_csv(found.names, rows)
    else:
        _print_table(found.names, rows)


def _advice(error: SinkError, query: str, *, write: bool) -> str:
    if error.code == READ_ONLY and not write:
        return "; `still sql` only reads: give --write if you mean it"
    if _FORMAT.search(query):
        return "; leave FORMAT out, `still sql` adds its own: --json and --csv choose how it prints"
    return ""


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise UserError(f"--param {text!r} is no name=value")
    return name, value


@contextlib.contextmanager
def _client(settings: Settings) -> Iterator[Client]:
    """The ClickHouse that runs, else the embedded engine opened on its folder for as long as the context lasts."""
    folder = settings.folder / "clickhouse"
    try:
        client = clickhouse(settings)
    except Temporary as error:
        if is_held(settings.folder, LOCK_NAME):
            # The stack's own engine is on the folder, or about to be: one in its way would end it.
            raise UserError(str(error)) from None
        if not folder.is_dir():
            way = "; start one with `still up` or set STILL_CLICKHOUSE_URL" if settings.clickhouse_url else ""
            raise UserError(f"{error}{way}") from None
    else:
        yield client.using_database()
        return
    silent = f"nothing answers at {settings.clickhouse_url}" if settings.clickhouse_url else "no stack runs"
    sys.stderr.write(f"{silent}: opening {folder} for this query\n")
    with _engine_on(folder) as url:
        yield clickhouse(settings.model_copy(update={"clickhouse_url": url})).using_database()


@contextlib.contextmanager
def _engine_on(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "still.embedded.clickhouse", "--path", str(folder), "--port", "0"]
    with subprocess.Popen(
        [*command, "--parent", str(os.getpid())], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as engine:
        assert engine.stdout is not None
        assert engine.stderr is not None
        ready = engine.stdout.readline()
        if not ready:
            raise UserError(f"{folder} cannot be opened: {engine.stderr.read().strip().removeprefix('error: ')}")
        try:
            yield f"http://127.0.0.1:{json.loads(ready)['port']}"
        finally:
            engine.terminate()


def _print_json(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    for row in rows:
        print(orjson.dumps(dict(zip(names, row, strict=True)), default=str, option=orjson.OPT_NON_STR_KEYS).decode())


def _print_csv(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows([["" if value is None else value for value in row] for row in rows])
    sys.stdout.write(text.getvalue())


def _print_table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table whose every value is whole: in a pipe as wide as it takes, on a narrow terminal one line a value."""
    table = Table(*names, box=None)
    for row in rows:
        table.add_row(*map(_shown, row))
    console = Console()
    needed = Measurement.get(console, console.options.update(width=WIDEST), table).maximum
    if not console.is_terminal:
        console.width = max(console.width, needed)
    if needed <= console.width:
        console.print(table)
    else:
        for number, row in enumerate(rows, 1):
            console.print(_record(number, names, row))
    console.print(f"[dim]{len(rows)} rows[/dim]")


def _record(number: int, names: Sequence[str], row: Sequence[Any]) -> Table:
    """One row from top to bottom."""
    record = Table(f"row {number}", "", box=None)
    for name, value in zip(names, row, strict=True):
        record.add_row(Text(name, style="dim"), _shown(value))
    return record


def _shown(value: Any) -> Text:
    return Text("null", style="dim") if value is None else Text(str(value))
