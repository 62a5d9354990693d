"""Inserts under way: one block of a topic, two at a time, each in a thread, while the sink's loop goes on reading."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Event
from typing import NamedTuple

import structlog

from schemas.ceiling import Limits
from sinks.buffer import Batch
from sinks.signals import Signals
from sinks.values import DeadLetters, Partition, Store
from sinks.write import Writer

log = structlog.get_logger()

LOOK_S = 0.2
LEAVE_S = 1.0
"""How long a stop waits, at the very end, for inserts that may notice that they are given up."""


class _Flight(NamedTuple):
    batch: Batch
    rows: Future[int]


class Flights:
    """The batches that are being inserted, by topic."""

    def __init__(self, store: Store, dead_letters: DeadLetters, limits: Limits, signals: Signals) -> None:
        self._signals = signals
        self._given_up = Event()
        self._writer = Writer(store, dead_letters, self._given_up, limits=limits)
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="insert")
        self._under_way: dict[str, _Flight] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    def __contains__(self, topic: str) -> bool:
        return topic in self._under_way

    def batches(self) -> list[Batch]:
        """What is being inserted."""
        return [flight.batch for flight in self._under_way.values()]

    def start(self, batch: Batch, leases: dict[Partition, str]) -> None:
        """Begin to land a batch, whose topic has none under way."""
        topic = batch.table.topic
        self._signals.inserting[topic] = time.monotonic()
        self._under_way[topic] = _Flight(batch, self._threads.submit(self._writer.write, batch, leases))

    def landed(self) -> Iterator[tuple[Batch, int]]:
        """What has landed since this was asked last, and how many of its rows are new; raises as `Writer.write`."""
        for topic, flight in list(self._under_way.items()):
            if flight.rows.done():
                rows = flight.rows.result()
                del self._under_way[topic]
                self._signals.inserting.pop(topic, None)
                yield flight.batch, rows

    def wait(self) -> None:
        """Return when all have ended, or a stop is asked for."""
        self._wait_for([flight.rows for flight in self._under_way.values()])

    def give_up(self) -> int:
        """Wait for all, once a stop is asked for only a moment; how many stay without an answer.

        Without a stop another session may follow in this process, and shares the store with them.
        """
        self._given_up.set()
        self._threads.shutdown(wait=False, cancel_futures=True)
        # What was cancelled before it began would be waited for: nobody is left to say so.
        running = [flight.rows for flight in self._under_way.values() if not flight.rows.cancelled()]
        self._wait_for(running)
        unanswered = len(wait(running, LEAVE_S).not_done)
        if unanswered:
            log.warning("inserts_left", inserts=unanswered, help="the next sink fences them, or reads back what landed")
        self._signals.inserting.clear()
        self._under_way.clear()  # to leave the group is to be told of a revocation: it must not ask for them again
        return unanswered

    def _wait_for(self, running: list[Future[int]]) -> None:
        while wait(running, LOOK_S).not_done and not self._signals.stop.is_set():
            self._signals.beat()
