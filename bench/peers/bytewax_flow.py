"""Bytewax: its Kafka source and sink, with a recovery store that keeps the offsets.

Weaker than ours: its sink flushes every batch but does not look whether a delivery failed.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from bench.peers.work import PRODUCER, add_field, job

BATCH = 10_000


def main() -> None:
    """Copy until ended."""
    work = job()
    init_db_dir(Path(work.folder), 1)
    flow = Dataflow("transit")
    source = KafkaSource([work.bootstrap_servers], [work.source], tail=True, batch_size=BATCH)
    events = op.input("in", flow, source)
    changed = op.map("add", events, lambda message: KafkaSinkMessage(message.key, add_field(message.value)))
    op.output("out", changed, KafkaSink([work.bootstrap_servers], work.target, dict(PRODUCER)))
    config = RecoveryConfig(work.folder)
    cli_main(flow, epoch_interval=timedelta(seconds=1), recovery_config=config)


if __name__ == "__main__":
    main()
