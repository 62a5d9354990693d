"""What may differ between one ClickHouse and another; checked at birth."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sinks.errors import Misconfigured

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class TableSettings:
    """How tables are made.

    Attributes:
        database: holds all tables and views.
        cluster: name for ON CLUSTER; None = one server, plain engines.
        replica_path: Keeper path of the Replicated engines; used with `cluster` only.
        ttl_days: per table, after how many days rows go; a table that is not named keeps them.
        deduplication_window: how many insert tokens each table remembers.
        spare_bytes: with less room on its disk ClickHouse refuses an insert before it begins. Amid one it may take no
            notice of a full disk, and publish a part of empty files (seen in 26.9, docs/why.md).
    """

    database: str = "stillstream"
    cluster: str | None = None
    replica_path: str = "/clickhouse/tables/{shard}/{database}/{table}"
    ttl_days: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    deduplication_window: int = 10_000
    spare_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        for name, value in (("database", self.database), ("cluster", self.cluster)):
            if value is not None and not _NAME.fullmatch(value):
                raise Misconfigured(f"{name}={value!r} is no plain name; use letters, digits and _")
        if short := {table: days for table, days in self.ttl_days.items() if days < 1}:
            raise Misconfigured(f"ttl_days={short!r} must be at least 1 day")

    @property
    def on_cluster(self) -> str:
        """What follows the name in a statement for all nodes, with its space; empty on one server."""
        return f" ON CLUSTER {self.cluster}" if self.cluster else ""
