"""`still sink`: every topic into ClickHouse, exactly once, until SIGTERM."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from threading import Event
from typing import Annotated

import typer

from schemas.errors import RegistryError
from sinks import consume
from sinks.clickhouse.migrate import require
from sinks.clickhouse.store import ClickHouseStore
from sinks.dead_letters import KafkaDeadLetters
from sinks.errors import SinkError, TooManyRejected
from sinks.metrics import PrometheusMetrics
from sinks.settings import SinkSettings
from sinks.signals import Signals
from sinks.tables import by_topic
from still import schema_ids, tripped, wiring
from still.ending import STOP_WITHIN_S, leave_late, leave_within
from still.errors import Tripped, UserError
from still.health import Check, Health, Pulse, assigned, served
from still.kafka import WAIT_S, broker_trouble, reach
from still.readiness import announce_when
from still.security import kafka_options
from still.settings import Settings, load

_LONGEST_SILENCE_S = 120.0
"""Covers a turn of the loop: a read, and a call to ClickHouse for the ledger, which is given up after a minute.

Each try of what an assignment needs is a sign of life, so it may take as long as ClickHouse is away. Only to take
leases, up to three calls and a settling time, may once be silent for longer.
"""
_SHARE = (
    "Share partitions with other sinks; its value names this one. Over the embedded broker those of a sink that is gone"
    " wait until it is back under its name or another joins, on a busy machine until all are started again"
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sink")(sink)


def sink(
    topics: Annotated[str, typer.Option(help="Comma-separated, without prefix; default: all that have a table")] = "",
    share: Annotated[str, typer.Option(help=_SHARE)] = "",
    max_rows: Annotated[int, typer.Option(help="Rows of a block")] = 20_000,
    max_wait: Annotated[float, typer.Option(help="Seconds until a smaller block lands")] = 0.5,
) -> None:
    """Write every topic to ClickHouse, exactly once."""
    settings = load()
    tripped.stay_stopped(settings, "sink")
    reach(settings, WAIT_S)
    pulse, ready = Pulse(_LONGEST_SILENCE_S), Event()
    signals = Signals(ready, beat=pulse.beat)
    checks: dict[str, Check] = {
        "inserts": signals.stuck,
        "assignment": assigned(ready),
        "broker": partial(broker_trouble, settings),
        "clickhouse": partial(wiring.clickhouse_trouble, settings),
    }
    health = Health("sink", pulse, checks)
    signals = replace(signals, metrics=PrometheusMetrics(health.registry))
    leave_within(STOP_WITHIN_S, signals.stop)
    schema_ids.bind(settings, signals.stop)
    announce_when(ready, settings.folder, "sink")
    try:
        chosen = _settings(settings, topics, share, (max_rows, max_wait))
        with served(health, settings.health_host, settings.health_port):
            unanswered = _land(settings, chosen, signals)
    except TooManyRejected as error:
        tripped.remember(settings, "sink", str(error))
        raise Tripped(str(error)) from None
    except (SinkError, RegistryError) as error:
        raise UserError(str(error)) from None
    if unanswered:
        leave_late(f"{unanswered} inserts have no answer from ClickHouse")


def _land(settings: Settings, chosen: SinkSettings, signals: Signals) -> int:
    consume.tune_collector()
    client = wiring.clickhouse(settings, wait_s=30.0)
    require(client)
    store = ClickHouseStore(client, topic_prefix=chosen.topic_prefix)
    return consume.run(chosen, store, KafkaDeadLetters(chosen), settings.key(), signals)


def _settings(settings: Settings, topics: str, share: str, block: tuple[int, float]) -> SinkSettings:
    return SinkSettings(
        bootstrap_servers=settings.bootstrap_servers,
        topic_prefix=settings.topic_prefix,
        topics=tuple(word.strip() for word in topics.split(",") if word.strip()) or tuple(by_topic()),
        is_shared=bool(share),
        instance=share or None,
        max_rows=block[0],
        max_wait_s=block[1],
        kafka=kafka_options(settings),
        limits=settings.limits,
    )
