"""Old and new software on one log: v1 to v3 mixed in one partition, workers and sinks rolled, a column added meanwhile.

A real broker, a real engine, real processes of ours; the Schema Registry is the one of the tests.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer

from schemas.datum import to_datum
from schemas.records import ConversationEvent, Provenance, Score
from schemas.schema_registry import SchemaRegistry, subject_of
from sinks.clickhouse.client import Client, connect
from still.embedded.stack import Stack
from still.readiness import is_ready
from streams.produce import Producer, ProduceSettings
from tests.evolution import newer
from tests.registry import Registry
from tests.streams.log import eventually

VERSIONS = (1, 2, 3)
CHANNEL = {1: None, 2: "web", 3: "phone"}
PRIORITY = {1: None, 2: None, 3: 7}
PARTITION = 0
BATCH = 30
READY_S = 90


class Place:
    """One log, one database, and the processes of ours on them."""

    def __init__(self, stack: Stack, prefix: str, database: str, registry: Registry, folder: Path) -> None:
        self.stack, self.prefix, self.folder, self.registry = stack, prefix, folder, registry
        self.client: Client = connect(stack.clickhouse_url, database)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.written = 0
        self._environment = {
            "STILL_BOOTSTRAP_SERVERS": stack.bootstrap_servers,
            "STILL_CLICKHOUSE_URL": stack.clickhouse_url,
            "STILL_DATABASE": database,
            "STILL_TOPIC_PREFIX": prefix,
            "STILL_PARTITIONS": "2",
            "STILL_SCHEMA_REGISTRY": registry.url,
            "STILL_CUSTOMER_KEY": "a key of tests, 32 bytes long...",
        }

    def launch(self, version: int, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """`still` of that version, in a folder of its own."""
        own = self.folder / f"{name}-{version}"
        own.mkdir(parents=True, exist_ok=True)
        argv = [sys.executable, "-m", "tests.evolution.newer", str(version), str(own / "software"), name, *arguments]
        environment = {**os.environ, **self._environment, "STILL_FOLDER": str(own)}
        with (own / "log").open("ab") as log:
            return subprocess.Popen(argv, env=environment, stdout=log, stderr=log, cwd=newer.OWN)

    def init(self, version: int) -> None:
        """Schemas, topics, tables of that version."""
        assert self.launch(version, "init").wait(120) == 0, self.log(version, "init")

    def start(self, version: int, name: str, *arguments: str) -> None:
        """A process of that version, ready."""
        process = self.processes[f"{name}-{version}"] = self.launch(version, name, *arguments)
        own = self.folder / f"{name}-{version}"
        eventually(lambda: is_ready(own, name) or process.poll() is not None, READY_S, f"a ready {name}")
        assert process.poll() is None, self.log(version, name)

    def stop(self, version: int, name: str) -> None:
        """A clean end."""
        process = self.processes.pop(f"{name}-{version}")
        process.terminate()
        assert process.wait(60) == 0, self.log(version, name)

    def log(self, version: int, name: str) -> str:
        """What the process said last."""
        return (self.folder / f"{name}-{version}" / "log").read_text(encoding="utf-8")[-3000:]

    def write(self, versions: tuple[int, ...], *, away: bool = False) -> None:
        """A batch of events and as many scores of somebody else, their versions mixed, all into one partition.

        `away`: the Schema Registry goes away just before.
        """
        ready = [
            (topic, f"c{number}".encode(), self._encoded(topic, record, versions[number % len(versions)]))
            for number in range(self.written, self.written + BATCH)
            for topic, record in (("conversation.events", _event(number)), ("scores", _score(number)))
        ]
        self.registry.is_away = away
        producer = Producer(ProduceSettings(self.stack.bootstrap_servers))
        batch = producer.batch()
        for topic, key, value in ready:
            batch.send(self.prefix + topic, key, value, (), PARTITION)
        batch.confirm().result()
        producer.close()
        self.written += BATCH

    def _encoded(self, topic: str, record: Any, version: int) -> bytes:
        schema = newer.schema(type(record).__name__, version)
        id_ = SchemaRegistry(self.registry.url).id_of(subject_of(topic, self.prefix), schema)
        assert id_ is not None
        out = BytesIO()
        out.write(struct.pack(">bI", 0, id_))
        datum = {**to_datum(record), "channel": CHANNEL[version], "priority": PRIORITY[version]}
        schemaless_writer(out, parse_schema(schema), datum)
        return out.getvalue()

    def count(self, table: str, where: str = "1") -> int:
        """Rows."""
        return int(self.client.columns(f"SELECT count() FROM {self.client.database}.{table} WHERE {where}").first[0])

    def await_landed(self) -> None:
        """Wait until all that was written is in every table that it reaches."""

        def landed() -> bool:
            for name, process in self.processes.items():
                assert process.poll() is None, f"{name} ended: {self.log(int(name[-1]), name[:-2])}"
            return (
                self.count("conversation_events") >= self.written
                and self.count("scores", "src_cluster = 'elsewhere'") >= self.written
                and self.count("scores", "src_cluster != 'elsewhere'") >= self.written
            )

        eventually(landed, 120, f"{self.written} contacts landed")


def _event(number: int) -> ConversationEvent:
    said = [{"role": "user", "content": "Where is my order?"}, {"role": "assistant", "content": "On its way."}]
    return ConversationEvent(f"e{number}", f"c{number}", "conversation", messages=said)


def _score(number: int) -> Score:
    where = Provenance("elsewhere", "conversation.events", PARTITION, number)
    return Score(f"other-{number}", 1, where, "rules-1", quality=0.5, signals={})


@pytest.fixture(name="place")
def _place(stack: Stack, topic_prefix: str, database: str, registry: Registry, tmp_path: Path) -> Iterator[Place]:
    place = Place(stack, topic_prefix, database, registry, tmp_path)
    yield place
    for process in place.processes.values():
        process.kill()
        process.wait()


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_old_and_new_share_a_log(place: Place) -> None:
    """Through a whole upgrade from v1 to v3 every contact and every score lands once, and no record is refused."""
    place.init(1)
    place.start(1, "sink")
    place.start(1, "worker")
    place.write((1,))
    place.await_landed()

    place.init(3)  # the newer version goes first: schemas registered, columns added, while the old sink writes
    place.write(VERSIONS, away=True)
    for name in ("worker", "sink"):  # what only the registry can explain waits for it
        eventually(lambda: "schema_registry_away" in place.log(1, name), 60, f"a {name} that waits")  # noqa: B023
    assert place.count("dead_letters") == 0
    place.registry.is_away = False
    place.await_landed()
    assert place.count("scores", "channel IS NOT NULL") == 0  # the old sink knows no channel: absent is null

    place.stop(1, "sink")
    place.write(VERSIONS)
    place.start(3, "sink")
    place.start(3, "worker", "--instance", "worker-3")  # beside the old one, which gives up some partitions
    place.write(VERSIONS)
    place.await_landed()

    place.stop(1, "worker")
    place.write(VERSIONS)
    place.await_landed()
    _audit(place)


def _audit(place: Place) -> None:
    assert place.count("dead_letters") == 0
    for table, where in (
        ("conversations", "1"),
        ("scores", "src_cluster != 'elsewhere'"),
        ("scores", "src_cluster = 'elsewhere'"),
    ):
        sql = (
            f"SELECT count() AS n, uniqExact(conversation_id) AS ids FROM {place.client.database}.{table} WHERE {where}"
        )
        assert place.client.rows(sql) == [{"n": place.written, "ids": place.written}], table
    (events,) = place.client.rows(
        "SELECT count() AS n, uniqExact(event_id) AS ids, countIf(refused IS NOT NULL) AS bad"
        f" FROM {place.client.database}.conversation_events"
    )
    assert events == {"n": place.written, "ids": place.written, "bad": 0}
    found = place.client.rows(
        f"SELECT src_offset AS number, channel, priority FROM {place.client.database}.scores"
        f" WHERE src_cluster = 'elsewhere' AND number >= {2 * BATCH}"
    )
    assert len(found) == place.written - 2 * BATCH
    for row in found:
        version = VERSIONS[row["number"] % len(VERSIONS)]
        assert (row["channel"], row["priority"]) == (CHANNEL[version], PRIORITY[version])


def test_fixed_numbers_of_all_versions_are_read(tmp_path: Path) -> None:
    """Without a registry, a reader of v3 reads v1 to v3 by the numbers of its catalog; an absent field is null."""
    code = (
        "import sys, pathlib; from tests.evolution.newer import become; become(3, pathlib.Path(sys.argv[1]))\n"
        "from schemas import codec; from schemas.records import Score\n"
        "for data in sys.argv[2:]:\n"
        "    score = codec.decode(bytes.fromhex(data), Score)\n"
        "    print(score.conversation_id, score.channel, score.priority)\n"
        "print(codec.decode(codec.encode(score), Score) == score)\n"
    )
    written = []
    for version in VERSIONS:
        out = BytesIO()
        out.write(struct.pack(">bI", 0, 104 + (0 if version == 1 else 100 * version)))
        datum = {**to_datum(_score(version)), "channel": CHANNEL[version], "priority": PRIORITY[version]}
        schemaless_writer(out, parse_schema(newer.schema("Score", version)), datum)
        written.append(out.getvalue().hex())
    argv = [sys.executable, "-c", code, str(tmp_path), *written]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=100, check=False, cwd=newer.OWN)
    assert done.stdout.splitlines() == ["other-1 None None", "other-2 web None", "other-3 phone 7", "True"], done.stderr
