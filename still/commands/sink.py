"""`still sink`: every topic into ClickHouse, exactly once, until SIGTERM."""

from __future__ import annotations

import signal
from typing import Annotated

import typer

from sinks import consume
from sinks.clickhouse.store import ClickHouseStore
from sinks.dead_letters import KafkaDeadLetters
from sinks.errors import SinkError
from sinks.settings import SinkSettings
from sinks.tables import by_topic
from still.errors import UserError
from still.kafka import WAIT_S, reach
from still.readiness import announce_when
from still.security import kafka_options
from still.settings import Settings, load
from still.wiring import clickhouse


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sink")(sink)


def sink(
    topics: Annotated[str, typer.Option(help="Comma-separated, without prefix; default: all that have a table")] = "",
    share: Annotated[str, typer.Option(help="Share partitions with other sinks; its value names this one")] = "",
    max_rows: Annotated[int, typer.Option(help="Rows of a block")] = 20_000,
    max_wait: Annotated[float, typer.Option(help="Seconds until a smaller block lands")] = 0.5,
) -> None:
    """Write every topic to ClickHouse, exactly once."""
    settings = load()
    reach(settings, WAIT_S)
    signals = consume.Signals()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: signals.stop.set())
    announce_when(signals.ready, settings.folder, "sink")
    try:
        chosen = _settings(settings, topics, share, (max_rows, max_wait))
        store = ClickHouseStore(clickhouse(settings, wait_s=30.0))
        consume.run(chosen, store, KafkaDeadLetters(chosen), settings.key(), signals)
    except SinkError as error:
        raise UserError(str(error)) from None


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
    )
