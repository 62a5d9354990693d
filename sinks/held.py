"""What a sink knows of the partitions that it holds, and how it tells the ledger."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from sinks.deduplicate import Deduplicator
from sinks.errors import LeaseLost, Temporary
from sinks.values import Mark, Partition, Progress, Source, Store

log = structlog.get_logger()


@dataclass(slots=True)
class Held:
    """A partition that is held: up to `last` all has landed; `marks` are news to the ledger, as `is_marked` says."""

    deduplicator: Deduplicator
    last: int
    lease: str
    marks: dict[Source, Mark] = field(default_factory=dict)
    is_marked: bool = True
    freshness_s: float | None = None


class Ledger:
    """Tells the store's ledger now and then how far partitions have landed."""

    def __init__(self, store: Store, every_s: float) -> None:
        self._store = store
        self._every_s = every_s
        self._told_s = time.monotonic()

    def is_due(self) -> bool:
        """Whether it is time again."""
        return time.monotonic() - self._told_s > self._every_s

    def tell(self, held: Mapping[Partition, Held]) -> None:
        """Tried once: the ledger may lag behind the table, and polling must go on."""
        news = {partition: one for partition, one in held.items() if not one.is_marked}
        if news and self._is_taken(news):
            for one in news.values():
                one.is_marked, one.marks = True, {}
        # From here on: of a store that takes a minute to fail, the loop would see nothing else.
        self._told_s = time.monotonic()

    def _is_taken(self, news: Mapping[Partition, Held]) -> bool:
        try:
            self._store.record([Progress(partition, one.last, one.marks, one.lease) for partition, one in news.items()])
        except (LeaseLost, Temporary) as error:
            log.warning("ledger_not_written", why=str(error), code=error.code)
            # A lease was lost of one partition, and the others were refused along with it. Whether it is still ours the
            # next rows say; until rows of a partition land, its marks wait: it must not keep others back for good.
            for one in news.values():
                one.is_marked = isinstance(error, LeaseLost)
            return False
        return True
