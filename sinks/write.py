"""Land a batch: drop what is there already, insert the rest as one block, and put aside what cannot land.

An unknown outcome is tried again with the same bytes and the same token until it is definite; a definite no is
bisected, so that one bad row costs only itself. What lands nowhere is a confirmed dead letter before the batch counts
as landed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any, TypeVar

import structlog

from schemas.ceiling import ADVICE, Ceiling, Limits
from schemas.letters import replay_of
from sinks.buffer import Batch, letter_of
from sinks.errors import Rejected, Temporary, TooManyRejected
from sinks.tables import Table
from sinks.values import Arrived, Block, DeadLetters, Partition, Refused, Row, Store, new_token

log = structlog.get_logger()

T = TypeVar("T")

FIRST_WAIT_S = 0.05
LONGEST_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Writer:
    """Lands batches in a store; one call per table at a time."""

    store: Store
    dead_letters: DeadLetters
    stop: Event
    now_us: Callable[[], int] = lambda: time.time_ns() // 1000
    limits: Limits = field(default_factory=Limits)
    ceilings: dict[str, Ceiling] = field(default_factory=dict, repr=False)

    def write(self, batch: Batch, leases: dict[Partition, str]) -> int:
        """Land the batch; returns how many rows are new. Rows that can never land join the refused ones.

        Raises:
            Temporary: `stop` was set while the outcome was unknown.
            LeaseLost, Misconfigured: nothing more can be written from here.
            TooManyRejected: nearly everything is refused; none of the batch's letters was written.
        """
        rows = self._without_existing(batch.table, batch.rows)
        never = self.land(block_of(batch.table, rows, leases, self.now_us())) if rows else []
        batch.refused += [(rows[index][0], why) for index, why in never]
        self._judge(batch)
        if batch.refused:
            letters = [letter_of(arrived, why) for arrived, why in batch.refused]
            self.patiently(lambda: self.dead_letters.write(letters, self.stop))
        return len(rows) - len(never)

    def _judge(self, batch: Batch) -> None:
        """Stop before any letter is written where nearly everything is refused."""
        ceiling = self.ceilings.setdefault(batch.table.name, Ceiling(self.limits))
        if not batch.refused:
            ceiling.let_pass(min(len(batch.rows), self.limits.window))
            return
        bad = {(arrived.partition, arrived.offset) for arrived, _ in batch.refused}
        both = (*batch.rows, *batch.refused)
        places = {(taken.partition, taken.offset) for taken, _ in both if replay_of(taken.headers) is None}
        if how_many := ceiling.judge(place in bad for place in sorted(places)):
            arrived, why = batch.refused[0]
            example = f"partition {arrived.partition.number}, offset {arrived.offset}: {why.reason}"
            raise TooManyRejected(
                f"{batch.table.topic} refused {how_many} ({example}): {ADVICE}", table=batch.table.name
            )

    def land(self, block: Block, start: int = 0, *, unknown: bool = False) -> list[tuple[int, Refused]]:
        """Insert the block; the indexes (from `start`) and reasons of rows that can never land.

        `unknown` says that some of its rows may be there already.
        """
        try:
            self._insert(block, unknown=unknown)
        except Rejected as error:
            if len(block) == 1:
                return [(start, Refused("rejected", str(error)))]
            log.warning("block_bisected", table=block.table.name, rows=len(block), code=error.code)
            half = len(block) // 2
            first, second = block.part(0, half), block.part(half, len(block))
            return self.land(first, start, unknown=True) + self.land(second, start + half, unknown=True)
        return []

    def _insert(self, block: Block, *, unknown: bool) -> None:
        """Insert until the outcome is definite.

        The token only protects against a first try that is still under way when the second comes. It may have left the
        store's window, or a killed store's memory, so after an unknown outcome the table is asked first.
        """

        def insert() -> None:
            nonlocal block, unknown
            if unknown:
                missing = self.store.missing(block)
                if not missing:
                    return
                if len(missing) < len(block):
                    log.warning("block_completed", table=block.table.name, rows=len(block), missing=len(missing))
                    block = block.of(missing)
            unknown = True
            self.store.insert(block)

        self.patiently(insert)

    def patiently(self, operation: Callable[[], T]) -> T:
        """Repeat while the failure is temporary, waiting longer each time, until `stop`."""
        wait_s = FIRST_WAIT_S
        while True:
            try:
                return operation()
            except Temporary as error:
                if self.stop.wait(wait_s):
                    raise
                log.warning("retrying", why=str(error), code=error.code, table=error.table, wait_s=wait_s)
                wait_s = min(LONGEST_WAIT_S, wait_s * 2)

    def _without_existing(self, table: Table, rows: list[tuple[Arrived, Row]]) -> list[tuple[Arrived, Row]]:
        keys = list({row.key for _, row in rows if row.key is not None})
        if not keys:
            return rows
        taken = self.patiently(lambda: self.store.existing(table, keys))
        # A record and its replay may stand in one batch.
        taken |= {(*row.source, *row.mark) for _, row in rows if row.source and row.mark and row.key is None}
        kept = []
        for arrived, row in rows:
            if row.key is None or row.key not in taken:
                kept.append((arrived, row))
            if row.key is not None:
                taken.add(row.key)
        return kept


def block_of(table: Table, rows: Sequence[tuple[Arrived, Row]], leases: dict[Partition, str], now_us: int) -> Block:
    """The rows as columns, with their position; the token is fresh, so no two blocks ever share one."""
    columns: list[Sequence[Any]] = list(zip(*(row.values for _, row in rows), strict=True))
    arrived = [one for one, _ in rows]
    columns += (
        [one.partition.topic for one in arrived],
        [one.partition.number for one in arrived],
        [one.offset for one in arrived],
        [one.partition.cluster for one in arrived],
        [one.timestamp for one in arrived],
        [now_us] * len(arrived),
        [leases[one.partition] for one in arrived],
    )
    return Block(table, tuple(columns), new_token(table))
