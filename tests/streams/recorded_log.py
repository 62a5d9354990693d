"""The broker's log in memory, for stages: keeps what is confirmed, and can fail at a given confirmation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas import codec
from streams.assembly_keys import Fold, Held
from streams.deliver import Outgoing
from streams.errors import BrokerUnavailable
from streams.metrics import RecordedMetrics
from streams.stage import Log

CLUSTER = "cluster-1"


class RecordedLog:
    """Topics as lists; `fail_at` counts confirmations of non-empty batches from 0, `half` keeps half of that batch."""

    def __init__(self, fail_at: int | None = None, *, half: bool = False) -> None:
        self.records: list[Outgoing] = []
        self.cluster_id = CLUSTER
        self._fail_at = fail_at
        self._half = half
        self._confirmed = 0

    def confirm(self, batch: Sequence[Outgoing]) -> None:
        """Append, or fail with nothing or half of the batch written."""
        if not batch:
            return
        number, self._confirmed = self._confirmed, self._confirmed + 1
        if number == self._fail_at:
            self.records += batch[: len(batch) // 2] if self._half else []
            raise BrokerUnavailable("the test says so")
        self.records += batch

    def log(self) -> Log:
        """What a stage gets."""
        return Log(CLUSTER, "", self, RecordedMetrics(), lambda: self.cluster_id)

    def of(self, topic: str, kind: Any) -> list[Any]:
        """A topic's records."""
        return [codec.decode(out.value, kind) for out in self.records if out.topic == topic and out.value is not None]

    def states(self, partition: int, cluster_id: str) -> Held:
        """What the state topic holds of a partition."""
        fold = Fold(cluster_id)
        for out in self.records:
            if out.topic == "assembly.state" and out.partition == partition:
                fold.apply(out.key or b"", out.value)
        return fold.held()
