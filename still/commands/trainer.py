"""`still trainer`: trains a track whenever enough fresh examples are there, until SIGTERM."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from threading import Event
from typing import Annotated

import structlog
import typer

from sinks.errors import Temporary
from still import wiring
from still.ending import STOP_WITHIN_S, leave_done, leave_within
from still.errors import UserError
from still.health import Check, Health, Pulse, served
from still.kafka import broker_trouble
from still.readiness import announce
from still.settings import Settings, load
from still.training import explained, service
from trainers.figures import PrometheusFigures
from trainers.tracks import load_tracks

log = structlog.get_logger(__name__)

_LONGEST_SILENCE_S = 900.0
"""A run says something at every training step; loading a large base or measuring it on a benchmark takes longest."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("trainer")(trainer)


def trainer(
    tasks: Annotated[str, typer.Option(help="Comma-separated; default: all five")] = "",
    tracks: Annotated[Path | None, typer.Option(help="Folder of track files; default: the shipped ones")] = None,
    poll: Annotated[float, typer.Option(help="Seconds between two looks at what is fresh", min=0.1)] = 5.0,
) -> None:
    """Train a track whenever enough fresh examples are there, one run at a time."""
    settings, stop = load(), Event()
    health = _health(settings)
    leave_within(STOP_WITHIN_S, stop)
    with explained(), served(health, settings.health_host, settings.health_port):
        known = load_tracks(tracks or settings.tracks)
        chosen = tuple(track for task, track in known.items() if task in _names(tasks, list(known)))
        watching = service(settings, chosen, stop, lambda _what, _share: health.pulse.beat())
        watching.figures = PrometheusFigures(health.registry)
        announce(settings.folder, "trainer")
        while not stop.is_set():
            try:
                watching.serve(poll)
            except Temporary as away:
                health.pulse.beat()
                # ClickHouse, Kafka or the registry is away: what is done is durable, the rest waits for them.
                log.warning("trainer_waits", reason=str(away))
                stop.wait(poll)
    leave_done()


def _health(settings: Settings) -> Health:
    checks: dict[str, Check] = {
        "broker": partial(broker_trouble, settings),
        "clickhouse": partial(wiring.clickhouse_trouble, settings),
    }
    return Health("trainer", Pulse(_LONGEST_SILENCE_S), checks)


def _names(tasks: str, known: list[str]) -> list[str]:
    names = [word.strip() for word in tasks.split(",") if word.strip()]
    if unknown := [name for name in names if name not in known]:
        raise UserError(f"--tasks {unknown[0]!r} is not one of {', '.join(known)}")
    return names or known
