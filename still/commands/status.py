"""`still status`: what runs, how far behind it is, how fresh what landed is, what was refused."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from still import landed
from still.embedded.errors import StackNotRunningError
from still.embedded.stack import read_children
from still.errors import UserError, known
from still.kafka import servers
from still.lag import groups, lags
from still.output import console
from still.security import kafka_options
from still.settings import Settings, load

_EVERY_S = 1.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("status")(status)


def status(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object; with --follow a line a look")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Again every second, until Ctrl-C")] = False,
) -> None:
    """Show processes with their restarts, lag, rows, freshness, and dead letters by reason."""
    settings = load()
    if follow:
        (_follow_json if as_json else _follow)(settings, _interrupted())
        return
    found = collect(settings)
    if as_json:
        print(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
    else:
        console().print(render(found))
    if found["trouble"]:
        raise UserError("; ".join(found["trouble"]))


def collect(settings: Settings) -> dict[str, Any]:
    """One look; what cannot be known is null, and `trouble` says why."""
    trouble: list[str] = []
    held = known(lambda: _held(settings), trouble.append)
    lag = known(lambda: lags(servers(settings), groups(settings), kafka_options(settings)), trouble.append)
    return {
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "processes": _processes(settings),
        "lag": None if lag is None else [asdict(one) for one in lag],
        **(held or dict.fromkeys(("rows", "freshness", "dead_letters"))),
        "trouble": list(dict.fromkeys(trouble)),
    }


def render(found: dict[str, Any]) -> Group:
    """A look for people."""
    parts: list[Table | str] = [] if found["processes"] is None else [_processes_table(found["processes"])]
    parts += [] if found["lag"] is None else [_lag_table(found["lag"])]
    parts += [] if found["rows"] is None else [_rows_table(found), *_letters_table(found["dead_letters"])]
    return Group(*parts)


def _held(settings: Settings) -> dict[str, Any]:
    with landed.asking(settings) as client:
        return {
            "rows": landed.rows(client),
            "freshness": landed.freshness(client),
            "dead_letters": landed.dead_letters(client),
        }


def _processes(settings: Settings) -> dict[str, Any] | None:
    try:
        return {name: asdict(child) for name, child in read_children(settings.folder).items()}
    except StackNotRunningError:
        return None  # a cluster's processes are watched by its own supervisor


def _processes_table(processes: dict[str, Any]) -> Table:
    table = Table("process", "state", "pid", "restarts", box=None)
    for name, child in processes.items():
        table.add_row(name, str(child["state"]), _count(child["pid"]), str(child["restarts"]))
    return table


def _lag_table(lag: list[dict[str, Any]]) -> Table:
    table = Table("group", "topic", "records", "behind", box=None)
    for one in lag:
        table.add_row(one["group"], one["topic"], _count(one["end"]), _count(one["behind"]))
    return table


def _rows_table(found: dict[str, Any]) -> Table:
    lately = f"last {landed.RECENT_MINUTES} min"
    table = Table("table", "rows", lately, "log to row, median", "99 %", box=None)
    for name, rows in found["rows"].items():
        fresh = found["freshness"][name]
        table.add_row(name, _count(rows), _count(fresh["rows"]), _seconds(fresh["median_s"]), _seconds(fresh["p99_s"]))
    return table


def _letters_table(letters: list[dict[str, Any]]) -> Iterator[Table]:
    if letters:
        table = Table("dead letters of", "reason", "records", box=None)
        for letter in letters:
            table.add_row(letter["stage"], letter["reason"], _count(letter["records"]))
        yield table


def _count(value: int | None) -> str:
    return "unknown" if value is None else f"{value:,}"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"


def _interrupted() -> threading.Event:
    """Set by Ctrl-C, whose exception can be lost in a callback of Kafka's client; a second one ends at once."""
    stop = threading.Event()

    def heard(*_: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, heard)
    return stop


def _follow_json(settings: Settings, stop: threading.Event) -> None:
    for found in _looks(settings, stop):
        sys.stdout.write(orjson.dumps(found).decode() + "\n")
        sys.stdout.flush()


def _follow(settings: Settings, stop: threading.Event) -> None:
    with Live(console=Console(), auto_refresh=False) as live:
        for found in _looks(settings, stop):
            live.update(Group(render(found), *(f"unknown: {why}" for why in found["trouble"])), refresh=True)


def _looks(settings: Settings, stop: threading.Event) -> Iterator[dict[str, Any]]:
    """A look every second until the stop."""
    while not stop.is_set():
        began = time.monotonic()
        yield collect(settings)
        stop.wait(max(0.0, _EVERY_S - (time.monotonic() - began)))
