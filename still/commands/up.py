"""`still up`: the whole stack in the foreground, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from still import told
from still.embedded.errors import EmbeddedError
from still.embedded.ports import LOOPBACK, choose_port
from still.embedded.stack import Broker, EmbeddedStack, Ports, embedded_stack
from still.errors import UserError
from still.health import served
from still.output import console
from still.processes import PROCESSES, Process, child_of
from still.settings import Settings, load
from still.setup import prepare
from still.stopping import Account, Patience, Stops, listen, wind_down
from still.watch import Watch

DRAIN_S = 20.0
_HEALTH_PORT = 19464


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("up")(up)


def up(  # noqa: PLR0913, PLR0917 - one for each option
    folder: Annotated[Path | None, typer.Option(help="Data, logs, registry; STILL_FOLDER")] = None,
    without: Annotated[list[str] | None, typer.Option(help="Leave a process out: worker, sink, trainer")] = None,
    broker: Annotated[
        Broker,
        typer.Option(help="memory: quick, forgets with its process; apache: Apache Kafka, durable in the folder"),
    ] = "memory",
    broker_port: Annotated[int, typer.Option(help="Preferred; a taken one is replaced")] = Ports().broker,
    clickhouse_port: Annotated[int, typer.Option(help="Preferred; a taken one is replaced")] = Ports().clickhouse,
    drain: Annotated[
        float, typer.Option(help="Seconds that a stop waits at most for what is on its way", min=0)
    ] = DRAIN_S,
) -> None:
    """Start broker, ClickHouse, sink, worker and trainer; show them; stop them in order on Ctrl-C."""
    settings = load(**({} if folder is None else {"folder": folder}))
    stops = listen()
    processes = _chosen(without or [])
    try:
        with embedded_stack(settings.folder, Ports(broker_port, clickhouse_port), broker, stops.asked) as running:
            start_processes(running, settings.folder, processes)
            _run(running, settings.folder, stops)
            told.show_account(_wind_down(running, load(folder=settings.folder), drain, stops))
    except EmbeddedError as error:
        if stops.asked.is_set():
            console().print("stopped before everything was up")
            raise typer.Exit(1) from None
        raise UserError(str(error)) from None


def _run(running: EmbeddedStack, folder: Path, stops: Stops) -> None:
    """Watch until the first Ctrl-C."""
    watch = Watch(running, lambda: load(folder=folder), told.show_loss)
    with served(watch.health(), LOOPBACK, choose_port(_HEALTH_PORT)) as url:
        running.note_health(str(url))
        told.show_stack(running)
        watch.until(stops.asked)


def _wind_down(running: EmbeddedStack, settings: Settings, drain_s: float, stops: Stops) -> Account:
    console = Console(stderr=True)
    with console.status("stopping …") as status:
        patience = Patience(time.monotonic() + drain_s, stops.hurried)
        return wind_down(running, settings, patience, lambda what: status.update(f"stopping: {what} …"))


def start_processes(
    running: EmbeddedStack, folder: Path, processes: tuple[Process, ...], env: Mapping[str, str] | None = None
) -> None:
    """Make topics and tables, restore the model events, then start our processes; returns when all are ready."""
    # No sink of this folder's runs yet.
    prepared = prepare(load(folder=folder), remake=True)
    if prepared.remade:
        told.show_remade(prepared.remade)
    child = partial(child_of, folder=folder.absolute(), parent_pid=os.getpid(), env=env)
    running.start_more([child(process, broker_forgets=running.stack.broker == "memory") for process in processes])


def _chosen(without: list[str]) -> tuple[Process, ...]:
    if unknown := sorted(set(without) - set(PROCESSES)):
        raise UserError(f"--without {unknown[0]!r}: there are {', '.join(PROCESSES)}")
    return tuple(process for process in PROCESSES if process not in without)
