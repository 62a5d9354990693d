"""`python -m bench.freshness [--contacts N] [--seconds S]`: from a published event to its row in ClickHouse.

The whole embedded stack as `still up` runs it (broker, ClickHouse, sink, worker as processes), with simulated shop
contacts turn by turn. First a burst of N contacts gives the capacity: events a second until the last score has landed.
Then events come at half of it for S seconds, and each is looked for: the event's own row in `conversation_events`, and
for an event that closes a contact the row in `scores`, which has passed both stages of the worker. Prints p50 and p99
of both, in seconds, from the call that publishes to the end of the query that shows the row (asked every 0.1 s).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles

from schemas.records import ConversationEvent
from sinks.clickhouse.client import Client
from still import wiring
from still.capture import open_publisher
from still.commands.up import start_processes
from still.embedded.stack import Ports, embedded_stack
from still.front import configure_logs
from still.settings import Settings, load
from streams.bulk import publish_each
from streams.simulate.settings import SimulateSettings
from streams.simulate.simulate import simulate

LOOK_S = 0.1
PATIENCE_S = 60.0
START_US = 1_793_520_000_000_000
EVENTS, SCORES = ("conversation_events", "event_id"), ("scores", "conversation_id")
"""Table and column in which an event, a closed contact, is looked for."""


def main() -> None:
    """Burst, half load, table, JSON."""
    configure_logs()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=1500)
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, embedded_stack(Path(folder), Ports(0, 0)) as running:
        start_processes(running, Path(folder), ("sink", "worker"))
        settings = load(folder=Path(folder))
        capacity = burst(settings, contacts(arguments.contacts, seed=1))
        offered = round(capacity * arguments.seconds / 2)
        # A contact is seven to eight events; too many do no harm.
        steady = contacts(offered // 7 + 1, seed=2)[:offered]
        latencies = half_load(settings, steady, capacity / 2)
    figures: dict[str, float] = {"capacity_events_per_s": round(capacity), "offered_per_s": round(capacity / 2)}
    print(f"capacity {capacity:,.0f} events/s, offered {capacity / 2:,.0f}")
    for (table, _), seconds in latencies.items():
        cuts = quantiles(seconds, n=100)
        print(f"{table:22}{len(seconds):8} rows   p50 {cuts[49]:.2f} s   p99 {cuts[98]:.2f} s")
        figures |= {f"{table}_p50_s": round(cuts[49], 3), f"{table}_p99_s": round(cuts[98], 3)}
    print(json.dumps({"freshness": figures}))


def contacts(count: int, seed: int) -> list[ConversationEvent]:
    """Events of simulated contacts that all close."""
    return list(simulate(SimulateSettings(START_US, count, disorder=0.0), seed))


def burst(settings: Settings, events: Sequence[ConversationEvent]) -> float:
    """Events a second from the first one published to the last contact's score in ClickHouse."""
    started = time.perf_counter()
    watch = Watch(wiring.clickhouse(settings), SCORES, {event.conversation_id for event in events})
    with open_publisher(settings) as publisher:
        for _ in publish_each(publisher, events):
            pass
    return len(events) / (max(watch.seen().values()) - started)


def half_load(
    settings: Settings, events: Sequence[ConversationEvent], per_s: float
) -> dict[tuple[str, str], list[float]]:
    """Seconds from publishing to the row, for every event and every closed contact."""
    closes = {event.conversation_id for event in events if event.kind == "closed"}
    watches = {
        EVENTS: Watch(wiring.clickhouse(settings), EVENTS, {event.event_id for event in events}),
        SCORES: Watch(wiring.clickhouse(settings), SCORES, closes),
    }
    published: dict[str, float] = {}
    started = time.perf_counter()
    with open_publisher(settings) as publisher:
        for number, event in enumerate(events):
            time.sleep(max(0.0, started + number / per_s - time.perf_counter()))
            published[event.event_id] = time.perf_counter()
            if event.kind == "closed":
                published[event.conversation_id] = published[event.event_id]
            publisher.begin(event)
    return {place: [seen - published[id_] for id_, seen in watch.seen().items()] for place, watch in watches.items()}


class Watch:
    """Looks again and again, in a thread of its own, which of some ids have a row, until all have."""

    def __init__(self, client: Client, place: tuple[str, str], wanted: set[str]) -> None:
        self._client = client
        self._place = place
        self._wanted = wanted
        self._seen: dict[str, float] = {}
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def seen(self) -> dict[str, float]:
        """When each was seen first; waits until all are.

        Raises:
            SystemExit: some did not come.
        """
        self._thread.join(PATIENCE_S)
        if missing := self._wanted - self._seen.keys():
            raise SystemExit(f"{len(missing)} of {len(self._wanted)} rows did not reach {self._place[0]}")
        return self._seen

    def _look(self) -> None:
        table, column = self._place
        sql = (
            f"SELECT {column} AS id FROM {self._client.database}.{table} WHERE _ingested_at >= {{since:DateTime64(6)}}"
        )
        since = time.time()
        while len(self._seen) < len(self._wanted):
            # What a block's time says is when it was built, so look a while back.
            asked = time.time()
            found = [row["id"] for row in self._client.rows(sql, {"since": f"{since - 10:.6f}"})]
            now = time.perf_counter()
            for id_ in found:
                if id_ in self._wanted:
                    self._seen.setdefault(id_, now)
            since = asked
            time.sleep(LOOK_S)


if __name__ == "__main__":
    main()
