"""Whatever becomes of an insert's answer, of the ClickHouse child or of its disk: every row lands exactly once."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest

from sinks.buffer import Batch
from sinks.clickhouse.client import Client, connect
from sinks.clickhouse.migrate import planned
from sinks.clickhouse.settings import TableSettings
from sinks.clickhouse.store import ClickHouseStore
from sinks.decode import decoders
from sinks.errors import Temporary
from sinks.memory import MemoryDeadLetters
from sinks.tables import table
from sinks.values import Partition, Row
from sinks.write import Writer, block_of
from still.embedded.ports import choose_port
from still.embedded.stack import Stack
from tests.sinks.made import EXAMPLES, arrived, example
from tests.sinks.proxy import Fault, Faults, proxy

TABLE = table("examples")
DECODE = decoders(b"key")["examples"]
ANSWER_S = 1.0


def _batch(start: int, count: int, partition: Partition = EXAMPLES) -> Batch:
    batch = Batch(TABLE)
    for number in range(start, start + count):
        record = arrived(example(number), number, partition)
        row = DECODE(record)
        assert isinstance(row, Row)
        batch.add(record, row)
    return batch


def _offsets(client: Client, partition: Partition = EXAMPLES) -> list[int]:
    """Every row's offset, in order, twice where a row is there twice."""
    sql = f"SELECT _offset FROM {client.database}.examples WHERE _partition = {partition.number} ORDER BY _offset"
    return list(client.columns(sql).first)


def _make(client: Client, window: int = 10_000, partition_by: str = "", spare_bytes: int = 1) -> Client:
    settings = TableSettings(database=client.database, deduplication_window=window, spare_bytes=spare_bytes)
    for statement in planned(client, settings):
        is_table = "fence" in statement
        client.command(statement.replace("\nORDER BY", f"\n{partition_by}\nORDER BY") if is_table else statement)
    return client


@pytest.fixture(name="client")
def _client(stack: Stack, database: str) -> Client:
    """The shared ClickHouse with fresh tables whose token window is two inserts long."""
    return _make(connect(stack.clickhouse_url, database), window=2)


@pytest.mark.parametrize("fault", list(Fault))
def test_an_unknown_outcome_lands_once(stack: Stack, client: Client, fault: Fault) -> None:
    """Test 10: a request cut, an answer cut, an answer too late, twice in a row: the block is there once, whole."""
    faults = Faults("examples", [fault, fault], stall_s=2 * ANSWER_S)
    with proxy(stack.clickhouse_url, faults) as url:
        store = ClickHouseStore(connect(url, client.database, answer_s=ANSWER_S))
        writer, leases = Writer(store, MemoryDeadLetters(), Event()), store.take_leases([EXAMPLES])
        for start in (0, 200):
            writer.write(_batch(start, 200), leases)
    assert _offsets(client) == list(range(400))
    assert faults.happened == [fault, fault]


def test_a_token_that_the_table_has_forgotten_is_not_relied_on(stack: Stack, client: Client) -> None:
    """Test 11: while an outcome is unknown, others push its token out of the window; the block still lands once."""
    faults = Faults("examples", [Fault.CUT_ANSWER])
    other = EXAMPLES._replace(number=1)
    direct = ClickHouseStore(client)
    leases = direct.take_leases([EXAMPLES, other])

    def push_out() -> None:
        for start in range(0, 50, 10):
            Writer(direct, MemoryDeadLetters(), Event()).write(_batch(start, 10, other), leases)

    faults.meanwhile = push_out
    with proxy(stack.clickhouse_url, faults) as url:
        delayed = ClickHouseStore(connect(url, client.database))
        Writer(delayed, MemoryDeadLetters(), Event()).write(_batch(0, 100), leases)
    assert (_offsets(client), _offsets(client, other)) == (list(range(100)), list(range(50)))


def test_a_heir_waits_for_the_insert_that_passed_the_fence_before_it(stack: Stack, client: Client) -> None:
    """A sink that was superseded while its part was being written lands nothing behind the back of its heir."""
    slow = f"ALTER TABLE {client.database}.examples ADD INDEX slow (_offset + sleepEachRow(1)) TYPE minmax"
    client.command(slow)  # a part of three rows takes three seconds, as on a bad disk
    zombie, heir = (ClickHouseStore(connect(stack.clickhouse_url, client.database)) for _ in range(2))
    block = block_of(TABLE, _batch(0, 3).rows, zombie.take_leases([EXAMPLES]), 0)
    late = threading.Thread(target=zombie.insert, args=(block,))
    late.start()
    running = "SELECT 1 FROM system.processes WHERE query LIKE '%INSERT INTO%examples%' AND query NOT LIKE '%LIKE%'"
    _until(lambda: bool(client.columns(running).first))
    heir.take_leases([EXAMPLES])
    assert heir.landed(TABLE, EXAMPLES).present.keys() == {0, 1, 2}
    late.join()


def _until(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class _Served:
    """A ClickHouse child of the test's own, on one folder and port for all its lives."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, choose_port(0)
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        where = ["--path", str(self._folder), "--port", str(self._port), "--parent", str(os.getpid())]
        command = [sys.executable, "-m", "still.embedded.clickhouse", *where]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self._process.stdout is not None
        assert b"ready" in self._process.stdout.readline()

    def kill(self) -> None:
        """`kill -9`."""
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


@contextlib.contextmanager
def _serve(folder: Path) -> Iterator[_Served]:
    served = _Served(folder)
    served.start()
    try:
        yield served
    finally:
        served.kill()


@contextlib.contextmanager
def _landing(client: Client, blocks: int, rows: int) -> Iterator[threading.Thread]:
    """Lands blocks one after another in a thread, as the sink does; joined at the end."""
    store = ClickHouseStore(client)
    leases, given_up = store.take_leases([EXAMPLES]), Event()
    writer = Writer(store, MemoryDeadLetters(), given_up)

    def land() -> None:
        for block in range(blocks):
            writer.write(_batch(block * rows, rows), leases)

    thread = threading.Thread(target=land, daemon=True)
    thread.start()
    try:
        yield thread
        thread.join(240)
        assert not thread.is_alive(), "the blocks did not land"
    finally:
        given_up.set()


@pytest.mark.parametrize("partition_by", [pytest.param("", marks=pytest.mark.slow), "PARTITION BY _offset % 8"])
def test_the_child_killed_in_mid_insert(tmp_path: Path, partition_by: str) -> None:
    """Tests 3 and 10: kill -9 of ClickHouse at any time, even where blocks land in parts; readers recover too.

    A table with PARTITION BY is none of ours: it makes a block fall apart on purpose.
    """
    chance = random.Random(seed := random.randrange(10**6))
    print(f"seed={seed}")
    with _serve(tmp_path) as served:
        client = _make(connect(served.url, "d"), partition_by=partition_by)
        answered = 0
        with _landing(client, blocks=40, rows=100) as landing:
            for _ in range(4):
                end = time.monotonic() + 0.1 + chance.random() * 0.5
                while time.monotonic() < end:
                    # What was there once is there after every kill.
                    found = len(_offsets(connect(served.url, "d")))
                    assert found >= answered
                    answered = found
                served.kill()
                with pytest.raises(Temporary):
                    client.rows("SELECT 1")
                served.start()
            landing.join(60)
        assert _offsets(client) == list(range(4_000))


@pytest.fixture(name="small_disk")
def _small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 48 MB; mounting one needs root on Linux."""
    command = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("cannot mount a small tmpfs here: that needs root on Linux")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def test_a_full_disk_loses_nothing(small_disk: Path) -> None:
    """Test 20: while the disk is full blocks wait, none is refused; when there is room again all of them land once.

    It fills so slowly that an insert under way ends before its room is gone: amid one the engine notices nothing.
    """
    with _serve(small_disk / "data") as served:
        client = _make(connect(served.url, "d"), spare_bytes=8_000_000)
        ballast = small_disk / "ballast"
        with _landing(client, blocks=240, rows=50) as landing:
            while len(_offsets(client)) < 1_000:
                time.sleep(0.05)
            with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(500_000))
                    time.sleep(0.05 if shutil.disk_usage(small_disk).free < 12_000_000 else 0)
            time.sleep(1.0)
            assert landing.is_alive()
            ballast.unlink()
        assert _offsets(client) == list(range(12_000))
        client.close()
