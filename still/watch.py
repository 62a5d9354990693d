"""Watches the embedded stack while it runs: tells its health, and heals and counts what a crash of the broker takes.

The memory-only broker comes back empty and under another cluster id. Then its topics are made again, the model events
restored, and what the last look saw and ClickHouse does not hold is told as lost.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import Event

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sinks.tables import by_topic
from still import landed, wiring
from still.embedded.stack import EmbeddedStack
from still.embedded.supervisor import ChildState
from still.errors import UserError
from still.health import Check, Health, Pulse
from still.kafka import broker_trouble, servers
from still.lag import Look, look
from still.security import kafka_options
from still.settings import Settings
from still.setup import prepare

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 5.0
_POLL_S = 0.5
_LONGEST_SILENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Lost:
    """What a crash of the broker took.

    Attributes:
        cluster: the broker's life that ended.
        looked_s_ago: age of the last look when the crash was noticed; what came after that look is not counted.
        records: records by topic that the look saw and that did not land; None = there was no look, or no ClickHouse.
        contacts: contacts with landed events and without a conversation; their turns are gone.
    """

    cluster: str
    looked_s_ago: float | None
    records: dict[str, int] | None
    contacts: int | None


@dataclass(slots=True)
class Watch:
    """The watch over one running stack; `settings` reads them anew, `tell` hears of every loss."""

    running: EmbeddedStack
    settings: Callable[[], Settings]
    tell: Callable[[Lost], None]
    pulse: Pulse = field(default_factory=lambda: Pulse(_LONGEST_SILENCE_S))
    _cluster: str = ""
    _last: Look | None = None
    _lost: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def health(self) -> Health:
        """The supervisor's own health: ready while every child is, and broker and ClickHouse answer.

        A child that stands still is a process like any other to the one that watches it.
        """
        checks: dict[str, Check] = {
            "children": self._children_trouble,
            "broker": lambda: broker_trouble(self.settings()),
            "clickhouse": lambda: wiring.clickhouse_trouble(self.settings()),
        }
        health = Health("up", self.pulse, checks)
        self.register(health.registry)
        return health

    def register(self, registry: CollectorRegistry) -> None:
        """Serve the figures of the children and of what was lost."""
        registry.register(_Figures(self.running, self._lost))

    def until(self, stopping: Event) -> None:
        """Watch until the event is set."""
        self._cluster = self.running.stack.cluster_id
        looked_s = 0.0
        while not stopping.wait(_POLL_S):
            self.pulse.beat()
            if self.running.stack.cluster_id != self._cluster:
                self._heal()
            elif self.running.stack.broker == "memory" and time.monotonic() - looked_s > LOOK_EVERY_S:
                self._look()
                looked_s = time.monotonic()

    def _look(self) -> None:
        settings = self.settings()
        topics = [settings.topic_prefix + topic for topic in by_topic()]
        try:
            found = look(servers(settings), topics, kafka_options(settings))
        except UserError as error:
            log.debug("broker_not_seen", reason=str(error))
            return
        if found.cluster == self._cluster:
            self._last = found
        else:
            self.running.refresh()

    def _heal(self) -> None:
        settings = self.settings()
        try:
            prepared = prepare(settings)
        except UserError as error:
            # Its restart, or ClickHouse's, is under way: the next turn tries again.
            log.warning("broker_not_prepared", reason=str(error))
            return
        lost = self._count(settings)
        self._cluster, self._last = self.running.stack.cluster_id, None
        for topic, records in (lost.records or {}).items():
            self._lost[topic] += records
        log.error(
            "broker_came_back_empty",
            cluster=self._cluster,
            topics_made=len(prepared.topics),
            model_events_restored=prepared.restored,
            lost_records=lost.records,
            lost_contacts=lost.contacts,
            looked_s_ago=lost.looked_s_ago,
        )
        self.tell(lost)

    def _count(self, settings: Settings) -> Lost:
        last = self._last
        age_s = None if last is None else round(time.monotonic() - last.at_s, 1)
        try:
            with landed.asking(settings) as client:
                contacts = landed.unfinished_contacts(client, self._cluster)
                there = landed.ends(client, self._cluster)
        except UserError as error:
            log.warning("loss_not_counted", reason=str(error))
            return Lost(self._cluster, age_s, None, None)
        return Lost(
            self._cluster, age_s, None if last is None else missing(last, there, settings.topic_prefix), contacts
        )

    def _children_trouble(self) -> str | None:
        statuses = self.running.supervisor.statuses().values()
        troubled = [f"{status.name} is {status.state}" for status in statuses if status.state is not ChildState.READY]
        return ", ".join(troubled) or None


def missing(seen: Look, there: dict[tuple[str, int], int], prefix: str) -> dict[str, int]:
    """Records by topic (no prefix) that a look saw beyond what has landed; topics without any are left out."""
    found: dict[str, int] = defaultdict(int)
    for (name, number), end in seen.ends.items():
        topic = name.removeprefix(prefix)
        found[topic] += max(0, end - there.get((topic, number), 0))
    return {topic: records for topic, records in found.items() if records}


class _Figures(Collector):
    """Restarts, states and losses as they are when they are asked for."""

    def __init__(self, running: EmbeddedStack, lost: dict[str, int]) -> None:
        self._running = running
        self._lost = lost

    def collect(self) -> Iterable[Metric]:
        restarts = CounterMetricFamily("still_up_restarts", "Times that a child was started again", labels=["child"])
        ready = GaugeMetricFamily("still_up_ready", "1 while a child is ready, else 0", labels=["child"])
        for status in self._running.supervisor.statuses().values():
            restarts.add_metric([status.name], status.restarts)
            ready.add_metric([status.name], float(status.state is ChildState.READY))
        lost = CounterMetricFamily(
            "still_up_lost_records", "Records that crashes of the broker are known to have taken", labels=["topic"]
        )
        for topic, records in self._lost.items():
            lost.add_metric([topic], records)
        return [restarts, ready, lost]
