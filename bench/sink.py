"""How many example rows a second the sink lands: `python -m bench.sink [ROWS]`.

Measures the steps of one sink process on one core, without a broker: decode and drop, make columns and encode, and the
whole way into the embedded ClickHouse (whose own work runs in its process). Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from sinks.buffer import Batch
from sinks.clickhouse.client import connect
from sinks.clickhouse.ddl import statements
from sinks.clickhouse.settings import TableSettings
from sinks.clickhouse.store import ClickHouseStore
from sinks.decode import decoders
from sinks.deduplicate import Deduplicator
from sinks.tables import table
from sinks.values import Arrived, Partition, Row
from sinks.write import block_of
from still.embedded.stack import Ports, running_stack
from tests.sinks.made import EXAMPLES, arrived, example

TABLE = table("examples")
DECODE = decoders(b"key")["examples"]
BLOCK = 20_000


def main(rows: int) -> None:
    """Run and print."""
    records = [arrived(example(number), number) for number in range(rows)]
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder), Ports(0, 0)) as stack:
        client = connect(stack.clickhouse_url, "bench")
        for statement in statements(TableSettings(database="bench")):
            client.command(statement)
        store = ClickHouseStore(client)
        leases = store.take_leases([EXAMPLES])
        runs = [_run(store, leases, records[at : at + BLOCK]) for at in range(0, rows - BLOCK + 1, BLOCK)]
        (found,) = client.rows("SELECT count() AS n FROM bench.examples")
    figures = {name: median(run[name] for run in runs) for name in runs[0]}
    per_second = {f"{name}_rows_per_s": round(BLOCK / seconds) for name, seconds in figures.items()}
    print(json.dumps({"rows": found["n"], "block": BLOCK, "bytes_per_row": len(records[0].value or b""), **per_second}))


def _run(store: ClickHouseStore, leases: dict[Partition, str], records: list[Arrived]) -> dict[str, float]:
    """Seconds for one block: CPU of this process per step, and wall clock of the whole."""
    started, cpu = time.perf_counter(), time.process_time()
    batch, deduplicator = Batch(TABLE), Deduplicator(-1, frozenset())
    for record in records:
        if not deduplicator.is_landed(record.offset):
            row = DECODE(record)
            if isinstance(row, Row) and not deduplicator.is_repeated(row):
                batch.add(record, row)
            batch.cover(record)
    decoded = time.process_time()
    block = block_of(TABLE, batch.rows, leases, time.time_ns() // 1000)
    store.insert(block)
    return {
        "decode_cpu": decoded - cpu,
        "insert_cpu": time.process_time() - decoded,
        "sink_cpu": time.process_time() - cpu,
        "wall_with_engine": time.perf_counter() - started,
    }


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
