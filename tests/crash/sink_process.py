"""One sink as a process of its own: `python -m tests.crash.sink_process BOOTSTRAP PREFIX CLICKHOUSE_URL DATABASE`.

A fifth and a sixth argument are the folder in which it says that it is ready, and its topics, comma-separated. With
`--share` it is one of several; without a name it leaves its group when it ends, instead of coming back. `CRASH_AT` ends
it at a point of `tests.crash.points`.
"""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

from sinks import consume
from sinks.clickhouse.client import connect
from sinks.clickhouse.store import ClickHouseStore
from sinks.dead_letters import KafkaDeadLetters
from sinks.settings import SinkSettings
from sinks.signals import Signals
from still.readiness import announce_when
from tests.crash.points import KillAt, PointedStore, SlowInserts

TOPICS = "examples,conversation.events,dead.letters"


def main() -> None:
    """Land small blocks and write the ledger often, so that kills hit every kind of moment."""
    asked = _asked()
    settings = SinkSettings(
        asked.bootstrap_servers,
        asked.topic_prefix,
        topics=tuple(asked.topics.split(",")),
        is_shared=asked.share is not None,
        instance=asked.share or None,
        max_rows=asked.rows,
        max_wait_s=0.1 if asked.folder else 0.02,
        mark_every_s=0.3,
    )
    consume.tune_collector()
    signals = Signals()
    signal.signal(signal.SIGTERM, lambda *_: signals.stop.set())
    if asked.folder:
        announce_when(signals.ready, Path(asked.folder), "sink")
    store = ClickHouseStore(connect(asked.clickhouse_url, asked.database, wait_s=30.0))
    pointed = PointedStore(PointedStore(store, SlowInserts(asked.slow)), KillAt())
    consume.run(settings, pointed, KafkaDeadLetters(settings), b"key", signals)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("bootstrap_servers", "topic_prefix", "clickhouse_url", "database"):
        parser.add_argument(name)
    parser.add_argument("folder", nargs="?", default="")
    parser.add_argument("topics", nargs="?", default=TOPICS)
    parser.add_argument("--share", nargs="?", const="", help="under this name, or without one")
    parser.add_argument("--rows", type=int, default=500, help="of a block")
    parser.add_argument("--slow", type=float, default=0.0, help="how many seconds each insert takes longer")
    return parser.parse_args()


if __name__ == "__main__":
    main()
