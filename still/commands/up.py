"""`still up`: the whole stack in the foreground, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.console import Console
from rich.table import Table

from still.embedded.errors import EmbeddedError
from still.embedded.stack import Broker, EmbeddedStack, Ports, embedded_stack
from still.errors import UserError
from still.processes import PROCESSES, Process, child_of
from still.settings import load
from still.setup import prepare

log = structlog.get_logger(__name__)

_LOOK_S = 0.5


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("up")(up)


def up(
    folder: Annotated[Path | None, typer.Option(help="Data, logs, registry; STILL_FOLDER")] = None,
    without: Annotated[list[str] | None, typer.Option(help="Leave a process out: worker, sink, trainer")] = None,
    broker: Annotated[
        Broker,
        typer.Option(help="memory: quick, forgets with its process; apache: Apache Kafka, durable in the folder"),
    ] = "memory",
    broker_port: Annotated[int, typer.Option(help="Preferred; a taken one is replaced")] = Ports().broker,
    clickhouse_port: Annotated[int, typer.Option(help="Preferred; a taken one is replaced")] = Ports().clickhouse,
) -> None:
    """Start broker, ClickHouse, sink, worker and trainer; show them; stop them in order on Ctrl-C."""
    settings = load(**({} if folder is None else {"folder": folder}))
    stopping = stop_event()
    processes = _chosen(without or [])
    try:
        with embedded_stack(settings.folder, Ports(broker_port, clickhouse_port), broker) as running:
            start_processes(running, settings.folder, processes)
            _show(running)
            _watch(running, settings.folder, stopping)
            Console(stderr=True).print("stopping: what is on its way lands first …")
    except EmbeddedError as error:
        raise UserError(str(error)) from None


def start_processes(
    running: EmbeddedStack, folder: Path, processes: tuple[Process, ...], env: Mapping[str, str] | None = None
) -> None:
    """Make topics and tables, restore the model events, then start our processes; returns when all are ready."""
    prepare(load(folder=folder))
    running.start_more([child_of(process, folder.absolute(), os.getpid(), env) for process in processes])


def _watch(running: EmbeddedStack, folder: Path, stopping: threading.Event) -> None:
    """Wait for the stop; a broker that crashed comes back empty, under another cluster id, and needs its topics."""
    cluster = running.stack.cluster_id
    while not stopping.wait(_LOOK_S):
        if running.stack.cluster_id != cluster:
            cluster = running.stack.cluster_id
            prepared = prepare(load(folder=folder))
            log.error(
                "broker_came_back_empty",
                cluster=cluster,
                topics_made=len(prepared.topics),
                model_events_restored=prepared.restored,
                lost="events that were not in ClickHouse yet; publish them again",
            )


def stop_event() -> threading.Event:
    """An event that Ctrl-C and SIGTERM set."""
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


def _chosen(without: list[str]) -> tuple[Process, ...]:
    if unknown := sorted(set(without) - set(PROCESSES)):
        raise UserError(f"--without {unknown[0]!r}: there are {', '.join(PROCESSES)}")
    return tuple(process for process in PROCESSES if process not in without)


def _show(running: EmbeddedStack) -> None:
    stack = running.stack
    table = Table("process", "state", "pid", box=None)
    for status in running.supervisor.statuses().values():
        table.add_row(status.name, status.state, str(status.pid))
    console = Console()
    console.print(table)
    kept = {"memory": "in memory: gone when this stops", "apache": "Apache Kafka, durable"}[stack.broker]
    console.print(f"\nKafka       {stack.bootstrap_servers}  ({kept}; cluster {stack.cluster_id})")
    console.print(f"ClickHouse  {stack.clickhouse_url}")
    console.print(f"folder      {stack.folder}")
    console.print(
        "\nTry, in another terminal:  still simulate -n 200    still status    still sql 'SELECT * FROM funnel'"
    )
    console.print("Ctrl-C stops everything in order.")
