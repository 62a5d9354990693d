"""`still worker`: the stream processors, until SIGTERM."""

from __future__ import annotations

import hashlib
import os
import socket
from functools import partial
from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from schemas.records import Task
from still import schema_ids, tripped
from still.errors import UserError
from still.health import Check, Health, Pulse, assigned, served
from still.kafka import WAIT_S, broker_trouble, reach
from still.readiness import announce_when
from still.security import kafka_options
from still.settings import Settings, load
from streams.errors import StreamError
from streams.metrics import PrometheusMetrics
from streams.settings import AssembleSettings, DistillSettings, RedactSettings
from streams.worker import run
from streams.worker_settings import GROUP, Signals, WorkerSettings
from trainers.errors import TrainerError
from trainers.tracks import load_tracks

_MARGIN_S = 30.0
"""A chunk may try an absent broker until the worker gives up; a silence beyond that, and this, is a hang."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("worker")(worker)


def worker(
    stages: Annotated[str, typer.Option(help="Of assemble, distill; comma-separated")] = "assemble,distill",
    instance: Annotated[
        str,
        typer.Option(
            help="Name of this worker in its group, its own alone: a restart under it keeps its partitions;"
            " default: this host and a digest of STILL_FOLDER's path"
        ),
    ] = "",
    group: Annotated[str, typer.Option(help="Consumer group that shares the partitions")] = GROUP,
) -> None:
    """Assemble events into conversations, and distill these into scores and training examples."""
    settings = load()
    tripped.stay_stopped(settings, "worker")
    name = instance or instance_of(settings.folder)
    chosen = _settings(settings, tuple(word.strip() for word in stages.split(",")), name, group)
    reach(settings, WAIT_S)
    schema_ids.bind(settings)
    pulse, ready = Pulse(chosen.give_up_after_s + _MARGIN_S), Event()
    checks: dict[str, Check] = {"assignment": assigned(ready), "broker": partial(broker_trouble, settings)}
    health = Health("worker", pulse, checks)
    announce_when(ready, settings.folder, "worker")
    signals = Signals(ready, pulse.beat, partial(tripped.remember, settings, "worker"))
    try:
        with served(health, settings.health_host, settings.health_port):
            run(chosen, signals, PrometheusMetrics(health.registry))
    except StreamError as error:
        raise UserError(str(error)) from None


def instance_of(folder: Path) -> str:
    """A worker's name where none is given: each host and folder its own, the same after every restart."""
    digest = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()
    return f"{socket.gethostname()}-{digest[:6]}"


def _settings(settings: Settings, stages: tuple[str, ...], instance: str, group: str) -> WorkerSettings:
    try:
        return WorkerSettings(
            bootstrap_servers=settings.bootstrap_servers,
            redact=RedactSettings(settings.key()),
            stages=stages,  # type: ignore[arg-type]  # checked at birth
            topic_prefix=settings.topic_prefix,
            group=settings.topic_prefix + group,
            instance_id=instance,
            folder=settings.folder,
            assemble=_assemble(settings),
            distill=_distill(settings),
            limits=settings.limits,
            kafka_options=kafka_options(settings),
        )
    except (ValueError, TrainerError) as error:
        raise UserError(str(error)) from None


def _assemble(settings: Settings) -> AssembleSettings:
    return AssembleSettings(
        inactivity_us=int(settings.inactivity_seconds * 1_000_000),
        max_event_bytes=settings.max_event_bytes,
        max_conversation_bytes=settings.max_conversation_bytes,
    )


def _distill(settings: Settings) -> DistillSettings:
    gaps = frozenset(word.strip() for word in settings.accept_gap.split(",") if word.strip())
    return DistillSettings(min_quality=_thresholds(settings.tracks), accepted_gaps=gaps)


def _thresholds(tracks: Path | None) -> dict[Task, float]:
    """The score that each track wants of a conversation before it learns from it."""
    return {task: track.min_quality for task, track in load_tracks(tracks).items()}
