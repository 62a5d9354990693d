"""Kill the sink again and again while records arrive: every offset lands exactly once, or in the dead letters."""

from __future__ import annotations

import os
import random
import time

from confluent_kafka import Producer

from schemas.codec import encode
from schemas.records import ConversationEvent
from sinks.clickhouse.client import Client
from still.embedded.stack import Stack
from tests.crash.sinking import DEADLINE_S, PARTITIONS, sink
from tests.sinks.made import example
from tests.streams.test_depth import JSON, in_json, nested

EXAMPLES = 9_000
POISON_EVERY = 400
KILLED = 6
SLOW = ("--rows", "100", "--slow", "0.1")
"""So that no life that is cut short lands all examples, however fast the machine is: it would meet no kill."""


def _produce(stack: Stack, topic_prefix: str) -> int:
    """Examples with repeated stretches and poison, and events, some too deep; returns how many examples are poison."""
    producer = Producer({"bootstrap.servers": stack.bootstrap_servers, "linger.ms": 20, "enable.idempotence": True})
    poison = 0
    for number in range(EXAMPLES):
        # A worker that crashed appends its last records once more.
        again = range(max(0, number - 6), number + 1, PARTITIONS) if number % 997 == 0 else (number,)
        for one in again:
            value = encode(example(one, partition=one % PARTITIONS))
            producer.produce(topic_prefix + "examples", value, partition=number % PARTITIONS)
        if number % POISON_EVERY == 0:
            producer.produce(topic_prefix + "examples", os.urandom(20), partition=number % PARTITIONS)
            poison += 1
        if number % 10 == 0:
            value, headers = encode(ConversationEvent(f"e-{number}", f"c-{number}", "closed")), {}
            if number % POISON_EVERY == 0:
                value, headers = in_json(["colour"], nested(1005)), JSON
            producer.produce(
                topic_prefix + "conversation.events", value, partition=number % PARTITIONS, headers=dict(headers)
            )
        producer.poll(0)
    producer.flush()
    return poison


def _counts(client: Client) -> tuple[int, int, int]:
    (found,) = client.rows(
        f"SELECT (SELECT count() FROM {client.database}.examples) AS e,"
        f" (SELECT count() FROM {client.database}.conversation_events) AS v,"
        f" (SELECT count() FROM {client.database}.dead_letters) AS d"
    )
    return found["e"], found["v"], found["d"]


def test_kill_at_any_time_loses_and_doubles_nothing(
    stack: Stack, topic_prefix: str, database: str, client: Client
) -> None:
    """Timer-driven kill -9 under load; the audit counts per offset, without FINAL: missing 0, doubled 0."""
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    lives = 0
    poison = _produce(stack, topic_prefix)
    expected = (EXAMPLES, EXAMPLES // 10, poison)
    deadline = time.monotonic() + DEADLINE_S
    while _counts(client) != expected and time.monotonic() < deadline:
        is_killed = lives < KILLED
        with sink(stack, topic_prefix, database, *(SLOW if is_killed else ())) as process:
            end = time.monotonic() + (1.2 + chance.random() * 2.0 if is_killed else 60.0)
            while time.monotonic() < end and _counts(client) != expected and process.poll() is None:
                time.sleep(0.05)
        lives += 1
    print(f"seed={seed} lives={lives} examples={EXAMPLES}")
    assert _counts(client) == expected
    assert lives > 2, "nothing was left to land for whoever came after a kill"
    (audit,) = client.rows(
        f"SELECT uniqExact(src_partition, src_offset, src_index) AS sources, uniqExact(_partition, _offset) AS places,"
        f" min(src_offset) AS lowest, max(src_offset) AS highest FROM {client.database}.examples"
    )
    assert audit == {"sources": EXAMPLES, "places": EXAMPLES, "lowest": 0, "highest": EXAMPLES - 1}
    (letters,) = client.rows(f"SELECT uniqExact(topic, partition, offset) AS n FROM {client.database}.dead_letters")
    assert letters["n"] == poison


def test_a_clean_stop_lands_what_was_read(stack: Stack, topic_prefix: str, database: str, client: Client) -> None:
    """After SIGTERM the process ends by itself with status 0, and the ledger is as far as the table."""
    _produce(stack, topic_prefix)
    with sink(stack, topic_prefix, database) as process:
        deadline = time.monotonic() + DEADLINE_S
        while _counts(client)[0] == 0 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.terminate()
        assert process.wait(15) == 0
    found = client.rows(
        "SELECT e.p AS p, e.newest <= m.last AS is_marked FROM"
        f" (SELECT _partition AS p, max(_offset) AS newest FROM {client.database}.examples GROUP BY p) AS e"
        f" JOIN (SELECT partition AS p, max(last) AS last FROM {client.database}.sink_marks"
        " WHERE topic = 'examples' GROUP BY p) AS m USING p"
    )
    assert found
    assert all(row["is_marked"] for row in found)
