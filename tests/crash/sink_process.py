"""One sink as a process of its own: `python -m tests.crash.sink_process BOOTSTRAP PREFIX CLICKHOUSE_URL DATABASE`."""

from __future__ import annotations

import signal
import sys

from sinks import consume
from sinks.clickhouse.client import connect
from sinks.clickhouse.store import ClickHouseStore
from sinks.dead_letters import KafkaDeadLetters
from sinks.settings import SinkSettings


def main(bootstrap_servers: str, topic_prefix: str, clickhouse_url: str, database: str) -> None:
    """Land small blocks and write the ledger often, so that kills hit every kind of moment."""
    settings = SinkSettings(
        bootstrap_servers,
        topic_prefix,
        topics=("examples", "conversation.events", "dead.letters"),
        max_rows=500,
        max_wait_s=0.02,
        mark_every_s=0.3,
    )
    consume.tune_collector()
    signals = consume.Signals()
    signal.signal(signal.SIGTERM, lambda *_: signals.stop.set())
    store = ClickHouseStore(connect(clickhouse_url, database))
    consume.run(settings, store, KafkaDeadLetters(settings), b"key", signals)


if __name__ == "__main__":
    main(*sys.argv[1:])
