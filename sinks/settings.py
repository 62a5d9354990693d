"""What may differ between one sink process and another; checked at birth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from schemas.ceiling import Limits
from sinks.errors import Misconfigured
from sinks.tables import by_topic

GROUP = "still.sink"
"""The sink's consumer group, without prefix."""


@dataclass(frozen=True, slots=True)
class SinkSettings:
    """How one sink process reads and how large its blocks are.

    Attributes:
        topics: which topics (names without prefix) this process lands.
        is_shared: share the partitions with other sinks of the group; otherwise this process takes all of them at
            once, without the seconds that a group join takes.
        instance: name in a shared group, for static membership: a restart under it takes its partitions back.
        max_rows, max_bytes, max_wait_s: a block is due when it has this many rows or bytes, or is this old.
        mark_every_s: how often the ledger is written.
        stop_within_s: how long a graceful stop may try to land what has been read.
        limits: how many records may become dead letters before this process stops.
        kafka: further settings of the Kafka clients (TLS, SASL); never logged.
    """

    bootstrap_servers: str
    topic_prefix: str = ""
    topics: tuple[str, ...] = tuple(by_topic())
    is_shared: bool = False
    group: str = GROUP
    instance: str | None = "sink-0"
    max_rows: int = 20_000
    max_bytes: int = 8_000_000
    max_wait_s: float = 0.5
    mark_every_s: float = 10.0
    stop_within_s: float = 6.0
    session_timeout_ms: int = 6_000
    limits: Limits = field(default_factory=Limits)
    kafka: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.topics) - set(by_topic())):
            raise Misconfigured(f"no table for topics {unknown}; the sink lands {sorted(by_topic())}")
        for name in ("max_rows", "max_bytes", "max_wait_s", "mark_every_s", "stop_within_s"):
            if getattr(self, name) <= 0:
                raise Misconfigured(f"{name}={getattr(self, name)} must be above 0")
