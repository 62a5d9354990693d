"""How many example rows a second the sink lands: `python -m bench.sink [ROWS]`.

Measures the steps of one sink process on one core: decode and drop, make columns and encode, the whole way into the
embedded ClickHouse (whose own work runs in its process), and then the whole process from the embedded broker on, with
Kafka's client. CPU counts where the name says so. Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.codec import encode
from sinks.buffer import Batch
from sinks.clickhouse.client import Client, connect
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.settings import TableSettings
from sinks.clickhouse.store import ClickHouseStore
from sinks.consume import run, tune_collector
from sinks.decode_columns import bulk_decoders
from sinks.deduplicate import Deduplicator
from sinks.fill import fill
from sinks.memory import MemoryDeadLetters
from sinks.settings import SinkSettings
from sinks.signals import Signals
from sinks.tables import table
from sinks.values import Arrived, Partition
from sinks.write import block_of
from still.embedded.stack import Ports, Stack, running_stack
from still.front import configure_logs
from tests.sinks.made import EXAMPLES, arrived, example

TABLE = table("examples")
DECODE = bulk_decoders(b"key")["examples"]
BLOCK = 20_000
READ = 5_000
PARTITIONS = 4


def main(rows: int) -> None:
    """Run and print."""
    configure_logs()
    tune_collector()
    records = [arrived(example(number), number) for number in range(rows)]
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder), Ports(0, 0)) as stack:
        client = connect(stack.clickhouse_url, "bench")
        migrate(client, TableSettings(database="bench"))
        store = ClickHouseStore(client)
        leases = store.take_leases([EXAMPLES])
        runs = [_run(store, leases, records[at : at + BLOCK]) for at in range(0, rows - BLOCK + 1, BLOCK)]
        (found,) = client.rows("SELECT count() AS n FROM bench.examples")
        client.command("TRUNCATE TABLE bench.examples")
        process_cpu = _process(stack, client, rows)
    figures = {name: median(run[name] for run in runs) for name in runs[0]}
    per_second = {f"{name}_rows_per_s": round(BLOCK / seconds) for name, seconds in figures.items()}
    facts = {"rows": found["n"], "block": BLOCK, "bytes_per_row": len(records[0].value or b"")}
    print(json.dumps({**facts, **per_second, "process_cpu_rows_per_s": round(rows / process_cpu)}))


def _process(stack: Stack, client: Client, rows: int) -> float:
    """CPU seconds of a whole sink from its assignment on until every row has landed."""
    producer = Producer({"bootstrap.servers": stack.bootstrap_servers, "linger.ms": 50, "compression.codec": "lz4"})
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
    for made in admin.create_topics([NewTopic("examples", PARTITIONS, 1)]).values():
        made.result()
    for number in range(rows):
        producer.produce("examples", encode(example(number)), partition=number * PARTITIONS // rows)
        producer.poll(0)
    producer.flush()
    settings = SinkSettings(stack.bootstrap_servers, topics=("examples",))
    signals, store = Signals(), ClickHouseStore(client)
    arguments = (settings, store, MemoryDeadLetters(), b"key", signals)
    sink = threading.Thread(target=run, args=arguments)
    sink.start()
    signals.ready.wait()
    started = time.process_time()
    while client.columns("SELECT count() FROM bench.examples").first[0] < rows:
        time.sleep(0.1)
    taken = time.process_time() - started
    signals.stop.set()
    sink.join()
    return taken


def _run(store: ClickHouseStore, leases: dict[Partition, str], records: list[Arrived]) -> dict[str, float]:
    """Seconds for one block: CPU of this process per step, and wall clock of the whole."""
    started, cpu = time.perf_counter(), time.process_time()
    batch, deduplicator = Batch(TABLE), Deduplicator()
    for at in range(0, len(records), READ):
        fill(batch, records[at : at + READ], {EXAMPLES: deduplicator}, DECODE)
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
