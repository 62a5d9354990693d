"""`still status`: what runs, how far behind it is, what it holds."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from schemas import catalog
from sinks.clickhouse.client import Client
from sinks.errors import SinkError
from sinks.settings import GROUP as SINK
from sinks.tables import by_topic
from still import wiring
from still.embedded.errors import StackNotRunningError
from still.embedded.stack import read_children
from still.errors import UserError
from still.lag import lags
from still.security import kafka_options
from still.settings import Settings, load
from streams.worker_settings import GROUP as WORKER

_WORKER_TOPICS = ("conversation.events", "conversations")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("status")(status)


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Again every second, until Ctrl-C")] = False,
) -> None:
    """Show processes, lag and rows."""
    settings = load()
    if as_json:
        print(orjson.dumps(collect(settings), option=orjson.OPT_INDENT_2).decode())
    elif follow:
        _follow(settings)
    else:
        Console().print(_render(collect(settings)))


def collect(settings: Settings) -> dict[str, Any]:
    """Processes, lags and rows; what cannot be known is null with the reason beside it."""
    return {
        "processes": _processes(settings),
        "lag": [asdict(lag) for lag in lags(settings.bootstrap_servers, groups(settings), kafka_options(settings))],
        "rows": _rows(settings),
    }


def groups(settings: Settings) -> dict[str, tuple[str, ...]]:
    """The consumer groups of ours, and the topics that each of them reads."""
    prefix = settings.topic_prefix
    landed = tuple(prefix + name for name in catalog.topics() if name in by_topic())
    return {prefix + WORKER: tuple(prefix + name for name in _WORKER_TOPICS), prefix + SINK: landed}


def _processes(settings: Settings) -> dict[str, Any] | None:
    try:
        return {name: asdict(child) for name, child in read_children(settings.folder).items()}
    except StackNotRunningError:
        return None  # a cluster's processes are watched by its own supervisor


def _rows(settings: Settings) -> dict[str, int | None]:
    try:
        client = wiring.clickhouse(settings)
        return {table.name: _count(client, table.name) for table in by_topic().values()}
    except SinkError as error:
        raise UserError(str(error)) from None


def _count(client: Client, table: str) -> int | None:
    found = client.rows(f"SELECT count() AS n FROM {client.database}.{table}")  # noqa: S608 - names of ours
    return int(found[0]["n"])


def _render(found: dict[str, Any]) -> Group:
    parts = []
    if found["processes"] is not None:
        processes = Table("process", "state", "pid", "restarts", box=None)
        for name, child in found["processes"].items():
            processes.add_row(name, str(child["state"]), _shown(child["pid"]), str(child["restarts"]))
        parts.append(processes)
    behind = Table("group", "topic", "records", "behind", box=None)
    for lag in found["lag"]:
        behind.add_row(lag["group"], lag["topic"], f"{lag['end']:,}", _shown(lag["behind"]))
    rows = Table("table", "rows", box=None)
    for name, count in found["rows"].items():
        rows.add_row(name, _shown(count))
    return Group(*parts, behind, rows)


def _shown(value: int | None) -> str:
    return "unknown" if value is None else f"{value:,}"


def _follow(settings: Settings) -> None:
    try:
        with Live(_render(collect(settings)), refresh_per_second=4) as live:
            while True:
                time.sleep(1)
                live.update(_render(collect(settings)))
    except KeyboardInterrupt:
        return
