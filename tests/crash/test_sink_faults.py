"""Zombies, blocks that landed in part, a power cut: what the sink finds when it comes back, it completes exactly."""

from __future__ import annotations

import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from threading import Event, Timer

import pytest
from confluent_kafka import Producer

from schemas.codec import encode
from sinks.buffer import letter_of
from sinks.clickhouse.client import Client, connect
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.settings import TableSettings
from sinks.clickhouse.store import ClickHouseStore
from sinks.dead_letters import CONFIRM_S, KafkaDeadLetters
from sinks.decode import decoders
from sinks.errors import BrokerUnavailable
from sinks.settings import SinkSettings
from sinks.tables import table
from sinks.values import Partition, Refused, Row
from sinks.write import block_of
from still.embedded.stack import EmbeddedStack, Stack
from tests.crash.sinking import DEADLINE_S, PARTITIONS, sink
from tests.crash.started import standing_still
from tests.sinks.made import arrived, example
from tests.streams.log import make_topics

ROWS = 3_000
MORE_ROWS = 12_000
ENDS_WITHIN_S = 10.0


def _produce(stack: Stack, topic_prefix: str, numbers: range) -> None:
    """Examples in order of their number, with stretches that a crashed worker had appended before."""
    producer = Producer({"bootstrap.servers": stack.bootstrap_servers, "linger.ms": 20, "enable.idempotence": True})
    for number in numbers:
        repeated = range(max(numbers.start, number - 4 * PARTITIONS), number + 1, PARTITIONS)
        for one in repeated if number % 311 == 0 else (number,):
            value = encode(example(one, partition=one % PARTITIONS))
            producer.produce(f"{topic_prefix}examples", value, partition=number % PARTITIONS)
        producer.poll(0)
    assert producer.flush(30) == 0


def _numbers(client: Client) -> list[int]:
    """The source offset of every row, in order, twice where a row is there twice."""
    return list(client.columns(f"SELECT src_offset FROM {client.database}.examples ORDER BY src_offset").first)


def _leases(client: Client) -> int:
    return int(client.columns(f"SELECT uniqExact(lease) FROM {client.database}.sink_leases").first[0])


def _wait_for(client: Client, rows: int) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while len(_numbers(client)) < rows and time.monotonic() < deadline:
        time.sleep(0.05)


def test_a_zombie_that_wakes_lands_nothing(stack: Stack, topic_prefix: str, database: str, client: Client) -> None:
    """Test 6: a sink is stopped in the midst of its work, another takes over, the first wakes up: it is refused."""
    _produce(stack, topic_prefix, range(MORE_ROWS))
    with sink(stack, topic_prefix, database) as zombie:
        _wait_for(client, 1)
        zombie.send_signal(signal.SIGSTOP)
        leases = _leases(client)
        with sink(stack, topic_prefix, database) as heir:
            deadline = time.monotonic() + DEADLINE_S
            while _leases(client) == leases and time.monotonic() < deadline:
                time.sleep(0.05)
            _wait_for(client, MORE_ROWS)
            heir.terminate()
            assert heir.wait(20) == 0
        assert _numbers(client) == list(range(MORE_ROWS))
        # Nobody else is there to land these, so that only the fence can keep them out.
        _produce(stack, topic_prefix, range(MORE_ROWS, MORE_ROWS + 300))
        zombie.send_signal(signal.SIGCONT)
        assert zombie.wait(60) != 0
        assert _numbers(client) == list(range(MORE_ROWS))
    with sink(stack, topic_prefix, database):
        _wait_for(client, MORE_ROWS + 300)
    assert _numbers(client) == list(range(MORE_ROWS + 300))


@pytest.mark.parametrize("busy", [True, False])
def test_a_dropped_table_is_made_again_under_a_running_sink(
    stack: Stack, topic_prefix: str, database: str, client: Client, *, busy: bool
) -> None:
    """Whether records keep coming or none: the sink is fenced and ends, and its next start lands every one once."""
    _produce(stack, topic_prefix, range(ROWS))
    with sink(stack, topic_prefix, database) as process, ThreadPoolExecutor(1) as threads:
        _wait_for(client, ROWS)
        more = range(ROWS, MORE_ROWS)
        coming = threads.submit(_produce, stack, topic_prefix, more) if busy else None
        client.command(f"DROP TABLE {database}.examples SYNC SETTINGS check_table_dependencies = 0")
        assert migrate(client, TableSettings(database=database), remake=True).remade == ("examples",)
        (coming or threads.submit(_produce, stack, topic_prefix, more)).result()
        assert process.wait(60) != 0
    with sink(stack, topic_prefix, database):
        _wait_for(client, MORE_ROWS)
    assert _numbers(client) == list(range(MORE_ROWS))


def test_a_block_that_landed_in_part_is_completed(
    stack: Stack, topic_prefix: str, database: str, client: Client
) -> None:
    """Test 3: some rows of a block are there, with higher marks than those that are not; the rest lands once."""
    chance = random.Random(seed := random.randrange(10**6))
    print(f"seed={seed}")
    partition = Partition(stack.cluster_id, "examples", 0)
    records = [arrived(example(number), number, partition) for number in range(400)]
    producer = Producer({"bootstrap.servers": stack.bootstrap_servers})
    for record in [*records, *records[100:300]]:
        producer.produce(f"{topic_prefix}examples", record.value, partition=0)
    assert producer.flush(30) == 0
    store = ClickHouseStore(client)
    rows = [(record, decoders(b"key")["examples"](record)) for record in records if chance.random() < 0.5]
    left = [(record, row) for record, row in rows if isinstance(row, Row)]
    store.insert(block_of(table("examples"), left, store.take_leases([partition]), 0))
    with sink(stack, topic_prefix, database) as process:
        _wait_for(client, len(records))
        process.terminate()
        assert process.wait(20) == 0
    assert _numbers(client) == list(range(len(records)))


def test_a_power_cut_is_refilled_from_the_ledger(
    stack: Stack, topic_prefix: str, database: str, client: Client
) -> None:
    """Test 21: rows above an old ledger are gone although Kafka's committed offsets are at the end; they come back.

    The model of a power cut: the ledger is as of some moment, and of what was written later any part may be missing.
    """
    chance = random.Random(seed := random.randrange(10**6))
    print(f"seed={seed}")
    _produce(stack, topic_prefix, range(ROWS))
    half = ROWS // PARTITIONS // 2
    with sink(stack, topic_prefix, database) as process:
        _wait_for(client, ROWS)
        process.terminate()
        assert process.wait(20) == 0
    marks, source_marks, table = (f"{database}.{name}" for name in ("sink_marks", "sink_source_marks", "examples"))
    below = f"FROM {table} WHERE _offset <= {half}"
    lost = f"_offset > {half} AND (_offset > {2 * half - 50} OR cityHash64(src_offset, {chance.randrange(10**6)}) % 2)"
    sources = "_partition, src_cluster, src_topic, src_partition, max((src_offset, toInt64(src_index)))"
    statements = (
        f"ALTER TABLE {marks} DELETE WHERE topic = 'examples' SETTINGS mutations_sync = 1",
        f"INSERT INTO {marks} SELECT _cluster, 'examples', _partition, max(_offset), '' {below} GROUP BY ALL",
        f"ALTER TABLE {source_marks} DELETE WHERE topic = 'examples' SETTINGS mutations_sync = 1",
        f"INSERT INTO {source_marks} SELECT 'examples', {sources}, '' {below} GROUP BY ALL",
        f"ALTER TABLE {table} DELETE WHERE {lost} SETTINGS mutations_sync = 1",
    )
    for statement in statements:
        client.command(statement)
    assert len(_numbers(client)) < ROWS
    with sink(stack, topic_prefix, database):
        _wait_for(client, ROWS)
    assert _numbers(client) == list(range(ROWS))


@pytest.mark.parametrize("how", ["gone", "mute"])
def test_a_sink_whose_broker_is_away_ends_when_told(running: EmbeddedStack, how: str) -> None:
    """SIGTERM while the broker is killed, or stands still without an answer: status 0, and soon."""
    here = running.stack
    make_topics(here.bootstrap_servers, "away.")
    client = connect(here.clickhouse_url, "away")
    migrate(client, TableSettings(database="away"))
    _produce(here, "away.", range(MORE_ROWS))
    with sink(here, "away.", "away") as process:
        _wait_for(client, 1)
        with standing_still(running, "broker") if how == "mute" else nullcontext():
            if how == "gone":
                running.stop_children(["broker"])
            time.sleep(1)
            process.terminate()
            assert process.wait(ENDS_WITHIN_S) == 0


def test_letters_wait_for_a_broker_no_longer_than_the_sink_does(running: EmbeddedStack) -> None:
    """While the broker stands still a letter is waited for, until the sink gives up: then it fails at once."""
    letters = [letter_of(arrived(example(1), 1, Partition("c", "examples", 0)), Refused("rejected", "by a test"))]
    make_topics(running.stack.bootstrap_servers, "away.")
    dead_letters = KafkaDeadLetters(SinkSettings(running.stack.bootstrap_servers, "away."))
    given_up = Event()
    dead_letters.write(letters, given_up)
    with standing_still(running, "broker"):
        Timer(1.0, given_up.set).start()
        since = time.monotonic()
        with pytest.raises(BrokerUnavailable):
            dead_letters.write(letters, given_up)
        assert given_up.is_set()
        assert time.monotonic() - since < CONFIRM_S / 2
