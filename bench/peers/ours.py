"""Ours: an agent registered as `still worker` registers its own, with a stage that does the same work.

Our consumer, delivery and in-order acknowledgement: an event is acknowledged once every record that it caused, and
every record of an earlier event, is confirmed by all in-sync replicas; the source is committed behind that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from bench.peers.work import Job, add_field, job
from still.front import configure_logs
from streams import agents
from streams.chunk import Chunk
from streams.deliver import Delivery, Outgoing
from streams.metrics import NoMetrics
from streams.produce import ProduceSettings
from streams.settings import RedactSettings
from streams.stage import Log, Stage
from streams.topics import cluster_id_of
from streams.worker import LINGER_MS
from streams.worker_settings import Signals, WorkerSettings


class TransitStage:
    """Adds one field."""

    name = "transit"

    def __init__(self, log: Log, source: str, target: str) -> None:
        self.topic = source
        self._log = log
        self._target = target

    def assign(self, partitions: Iterable[int]) -> None:
        """See that it is still the same log."""
        if list(partitions):
            self._log.check_cluster()

    def settle(self, chunk: Chunk) -> None:
        """Change every event and write it to the partition it came from."""
        target, partition = self._target, chunk.partition
        self._log.delivery.confirm(
            [Outgoing(target, partition, event.key, add_field(event.value or b"")) for event in chunk.arrived]
        )

    def tick(self, now_us: int) -> None:
        """Nothing."""


def run(work: Job, stage: Callable[[Log, str, str], Stage]) -> None:
    """Run a worker with this stage until ended."""
    configure_logs()
    metrics = NoMetrics()
    cluster = cluster_id_of(work.bootstrap_servers, {})
    delivery = Delivery(ProduceSettings(work.bootstrap_servers, linger_ms=LINGER_MS), metrics, 30.0)
    log = Log(cluster, "", delivery, metrics, lambda: cluster)
    settings = WorkerSettings(
        work.bootstrap_servers,
        RedactSettings(b"a key of benchmarks, 32 bytes..."),
        group=work.target,
        instance_id=Path(work.folder).name,
        folder=Path(work.folder),
    )
    made = stage(log, work.source, work.target)
    agents.run(agents.build(settings, [made], metrics, Signals()), settings)


if __name__ == "__main__":
    run(job(), TransitStage)
