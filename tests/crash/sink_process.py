"""One sink as a process of its own: `python -m tests.crash.sink_process BOOTSTRAP PREFIX CLICKHOUSE_URL DATABASE`.

A fifth and a sixth argument are the folder in which it says that it is ready, and its topics, comma-separated.
`CRASH_AT` ends it at a point of `tests.crash.points`.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from sinks import consume
from sinks.clickhouse.client import connect
from sinks.clickhouse.store import ClickHouseStore
from sinks.dead_letters import KafkaDeadLetters
from sinks.settings import SinkSettings
from still.readiness import announce_when
from tests.crash.points import KillAt, PointedStore

TOPICS = "examples,conversation.events,dead.letters"


def main(bootstrap_servers: str, topic_prefix: str, clickhouse_url: str, database: str, *more: str) -> None:
    """Land small blocks and write the ledger often, so that kills hit every kind of moment."""
    folder, topics = more or ("", TOPICS)
    settings = SinkSettings(
        bootstrap_servers,
        topic_prefix,
        topics=tuple(topics.split(",")),
        max_rows=500,
        max_wait_s=0.1 if folder else 0.02,
        mark_every_s=0.3,
    )
    consume.tune_collector()
    signals = consume.Signals()
    signal.signal(signal.SIGTERM, lambda *_: signals.stop.set())
    if folder:
        announce_when(signals.ready, Path(folder), "sink")
    store = PointedStore(ClickHouseStore(connect(clickhouse_url, database, wait_s=30.0)), KillAt())
    consume.run(settings, store, KafkaDeadLetters(settings), b"key", signals)


if __name__ == "__main__":
    main(*sys.argv[1:])
