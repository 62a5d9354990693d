"""SIGTERM while ClickHouse stands still: the sink ends in time, and what it left without an answer lands once."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from schemas.codec import encode
from schemas.exits import STOPPED_LATE
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.settings import TableSettings
from sinks.settings import GROUP, SinkSettings
from still.embedded.ports import LOOPBACK, choose_port
from still.embedded.stack import EmbeddedStack
from tests.crash.commands import Place
from tests.crash.frozen_process import FROZEN
from tests.crash.started import end, standing_still
from tests.sinks.made import example
from tests.streams.log import eventually, make_topics

PREFIX = "late."
SESSION_S = SinkSettings("").session_timeout_ms / 1000
PART = 400
AT_ONCE_S = 10.0
"""Two seconds, and what a loaded machine takes."""
ENDS_WITHIN_S = 15.0
"""Ten seconds, and what a loaded machine takes; an insert's answer would be waited for a minute."""


def _place(running: EmbeddedStack, folder: Path) -> Place:
    place = Place(running.stack.bootstrap_servers, PREFIX, running.stack.clickhouse_url, "late", folder)
    make_topics(place.bootstrap_servers, PREFIX)
    migrate(place.client(), TableSettings(database="late"))
    return place


def _produce(place: Place, numbers: range) -> None:
    producer = Producer({"bootstrap.servers": place.bootstrap_servers, "enable.idempotence": True})
    for number in numbers:
        producer.produce(f"{PREFIX}examples", encode(example(number)), partition=0)
    assert producer.flush(30) == 0


def test_a_stop_in_mid_insert_ends_and_nothing_is_lost_or_doubled(running: EmbeddedStack, tmp_path: Path) -> None:
    """The engine stands still amid inserts, the sink is told to stop: a status of its own; the next sink completes."""
    print(f"seed={(seed := random.randrange(10**6))}")
    place = _place(running, tmp_path)
    with place.running("sink") as process:
        _produce(place, range(PART))
        eventually(lambda: place.count("examples") == PART, 60, "the first rows")
        _produce(place, range(PART, 2 * PART))
        time.sleep(random.Random(seed).random() * 0.6)
        with standing_still(running, "clickhouse"):
            _produce(place, range(2 * PART, 3 * PART))
            time.sleep(1.5)
            process.terminate()
            assert process.wait(ENDS_WITHIN_S) == STOPPED_LATE
    assert "stopped_late" in place.log("sink").read_text()
    with place.running("sink") as process:
        eventually(lambda: place.count("examples") >= 3 * PART, 60, "all rows")
        process.terminate()
        assert process.wait(ENDS_WITHIN_S) == 0
    landed = [row["n"] for row in place.rows("SELECT src_offset AS n FROM {db}.examples ORDER BY n")]
    assert landed == list(range(3 * PART))


def test_a_stop_before_clickhouse_ever_answered_ends(running: EmbeddedStack, tmp_path: Path) -> None:
    """The main thread itself waits for an answer: the process ends all the same, with the same status."""
    place = _place(running, tmp_path)
    port = choose_port(0)
    with standing_still(running, "clickhouse"), _started(place, _health(port)) as process:
        eventually(lambda: _listens(port) or process.poll() is not None, 60, "a sink that begins")
        process.send_signal(signal.SIGTERM)
        assert process.wait(ENDS_WITHIN_S) == STOPPED_LATE


@pytest.mark.parametrize("point", ["take leases", "recover", "write ledger"])
def test_a_stop_while_the_loop_itself_has_no_answer_ends(running: EmbeddedStack, tmp_path: Path, point: str) -> None:
    """ClickHouse freezes before a lease, a reading back, the ledger: health says so, status 75, the next completes."""
    place, port = _place(running, tmp_path), choose_port(0)
    _produce(place, range(PART))
    with _freezing(running, place, point, health=_health(port)) as process:
        told = httpx.get(f"http://{LOOPBACK}:{port}/readyz", timeout=AT_ONCE_S).json()
        assert "does not answer within 2 s" in told["reasons"]["clickhouse"]
        process.terminate()
        assert process.wait(ENDS_WITHIN_S) == STOPPED_LATE
    with place.running("sink") as process:
        eventually(lambda: place.count("examples") >= PART, 60, "all rows")
        process.terminate()
        assert process.wait(ENDS_WITHIN_S) == 0
    landed = [row["n"] for row in place.rows("SELECT src_offset AS n FROM {db}.examples ORDER BY n")]
    assert landed == list(range(PART))


@pytest.mark.slow
@pytest.mark.apache
@pytest.mark.timeout(300)
@pytest.mark.parametrize("running", ["apache"], indirect=True)
def test_a_loop_without_an_answer_stays_a_member(running: EmbeddedStack, tmp_path: Path) -> None:
    """The thread that polls waits for the ledger three sessions long: the group keeps it, nothing is read twice."""
    place = _place(running, tmp_path)
    _produce(place, range(PART))
    with _freezing(running, place, "write ledger", "--share", "a") as process:
        before = _members(place)
        time.sleep(3 * SESSION_S)
        assert _members(place) == before
        assert len(before) == 1
        os.kill(_engine(running), signal.SIGCONT)
        _produce(place, range(PART, 2 * PART))
        eventually(lambda: place.count("examples") >= 2 * PART, 60, "rows after the silence")
        assert _members(place) == before
        process.terminate()
        assert process.wait(ENDS_WITHIN_S) == 0
    assert place.count("examples") == 2 * PART
    assert place.log("sink").read_text().count("partitions_assigned") == 1


def _health(port: int) -> dict[str, str]:
    """Settings of a sink that says how it is."""
    return {"STILL_HEALTH_HOST": LOOPBACK, "STILL_HEALTH_PORT": str(port)}


@contextmanager
def _freezing(
    running: EmbeddedStack, place: Place, point: str, *options: str, health: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A sink before which ClickHouse has frozen; it goes on when the context ends."""
    argv = [sys.executable, "-m", "tests.crash.frozen_process", str(engine := _engine(running)), point, *options]
    with place.log("sink").open("ab") as log:
        environment = {**os.environ, **place.environment, **(health or {})}
        process = subprocess.Popen(argv, env=environment, stdout=log, stderr=log)
    try:
        eventually(lambda: (place.folder / FROZEN).exists() or process.poll() is not None, 90, f"frozen at {point}")
        assert process.poll() is None, place.log("sink").read_text()
        yield process
    finally:
        os.kill(engine, signal.SIGCONT)
        end([process])


def _engine(running: EmbeddedStack) -> int:
    """ClickHouse's process."""
    pid = running.supervisor.statuses()["clickhouse"].pid
    assert pid is not None
    return pid


def _members(place: Place) -> set[str]:
    """The ids of the members of the sinks' group; a member that was lost comes back under another."""
    group = f"{place.prefix}{GROUP}"
    admin = AdminClient({"bootstrap.servers": place.bootstrap_servers, "log_level": 0})
    return {member.member_id for member in admin.describe_consumer_groups([group])[group].result().members}


@contextmanager
def _started(place: Place, more: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A sink that need not become ready."""
    environment = {**os.environ, **place.environment, **more}
    with subprocess.Popen([sys.executable, "-m", "still", "sink"], env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0
