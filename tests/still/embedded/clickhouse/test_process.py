"""The ClickHouse child as a process: ready line, folder lock, kill -9, SIGTERM, orphans."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

TABLE = "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a"


@dataclass(frozen=True)
class Served:
    """A ClickHouse process of the test's own."""

    process: subprocess.Popen[str]
    url: str

    def ask(self, sql: str) -> str:
        """Runs a statement that must succeed."""
        return httpx.post(self.url, content=sql, timeout=30).raise_for_status().text


@contextlib.contextmanager
def _serve(folder: Path) -> Iterator[Served]:
    command = [sys.executable, "-m", "still.embedded.clickhouse", "--path", str(folder), "--port", "0"]
    with subprocess.Popen([*command, "--parent", str(os.getpid())], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())
            assert ready["ready"] is True
            yield Served(process, f"http://127.0.0.1:{ready['port']}/")
        finally:
            process.kill()


def test_kill_minus_nine_keeps_every_acknowledged_row(tmp_path: Path) -> None:
    """After kill -9 in the middle of inserts, all acknowledged rows are there, and none of them twice."""
    acknowledged: list[int] = []

    def insert(served: Served) -> None:
        with contextlib.suppress(httpx.HTTPError):
            for i in range(10_000):
                served.ask(f"INSERT INTO t VALUES ({i})")
                acknowledged.append(i)

    with _serve(tmp_path) as served:
        served.ask(TABLE)
        writer = threading.Thread(target=insert, args=(served,))
        writer.start()
        deadline = time.monotonic() + 20
        while len(acknowledged) < 50 and time.monotonic() < deadline:
            time.sleep(0.01)
        served.process.kill()
        writer.join(30)
    with _serve(tmp_path) as served:
        stored = [int(line) for line in served.ask("SELECT a FROM t ORDER BY a").split()]
    assert len(acknowledged) >= 50
    assert stored[: len(acknowledged)] == acknowledged
    assert len(stored) <= len(acknowledged) + 1


def test_second_holder_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    """A second process on the folder ends with a sentence that names the first, and disturbs nothing."""
    with _serve(tmp_path) as served:
        command = [sys.executable, "-m", "still.embedded.clickhouse", "--path", str(tmp_path), "--port", "0"]
        second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert (second.returncode, second.stdout) == (2, "")
        assert f"is held by process {served.process.pid} since 20" in second.stderr
        assert "Traceback" not in second.stderr
        assert served.ask("SELECT 1") == "1\n"


def test_sigterm_lets_a_running_statement_finish(tmp_path: Path) -> None:
    """SIGTERM ends with status 0 after the insert that was running; its row is there afterwards."""
    with _serve(tmp_path) as served:
        served.ask(TABLE)
        statement = "INSERT INTO t SELECT sum(sleepEachRow(0.05)) + 7 FROM numbers(10) SETTINGS max_block_size = 1"
        answers: list[str] = []
        writer = threading.Thread(target=lambda: answers.append(served.ask(statement)))
        writer.start()
        deadline = time.monotonic() + 10
        running = "SELECT count() FROM system.processes WHERE query LIKE 'INSERT INTO t SELECT sum%'"
        while served.ask(running) != "1\n" and time.monotonic() < deadline:
            time.sleep(0.01)
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(10) == 0
        writer.join(10)
        assert answers == [""]
    with _serve(tmp_path) as served:
        assert served.ask("SELECT a FROM t") == "7\n"


def test_no_orphan_outlives_its_parent(tmp_path: Path) -> None:
    """When the parent is killed the child ends too, and the folder is free."""
    code = (
        "import os, subprocess, sys; "
        "command = [sys.executable, '-m', 'still.embedded.clickhouse', '--path', sys.argv[1], '--port', '0']; "
        "command += ['--parent', str(os.getpid())]; "
        "p = subprocess.Popen(command, stdout=subprocess.PIPE, text=True); "
        "print(p.stdout.readline(), end='', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert json.loads(parent.stdout.readline())["ready"]
        parent.kill()
    with _serve(tmp_path) as served:
        assert served.ask("SELECT 1") == "1\n"


def test_a_client_that_dies_inserting_leaves_nothing(tmp_path: Path) -> None:
    """Rows of a request that was cut off are not stored, not even those that had arrived."""

    def cut_off() -> Iterator[bytes]:
        yield b"1\n" * 100_000
        raise ConnectionAbortedError

    with _serve(tmp_path) as served:
        served.ask(TABLE)
        with contextlib.suppress(ConnectionAbortedError):
            httpx.post(served.url, params={"query": "INSERT INTO t FORMAT TSV"}, content=cut_off())
        deadline = time.monotonic() + 10
        while served.ask("SELECT count() FROM system.processes") != "1\n" and time.monotonic() < deadline:
            time.sleep(0.01)
        assert served.ask("SELECT count() FROM t") == "0\n"


@pytest.fixture(name="small_disk")
def _small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MB; mounting one needs root on Linux."""
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("cannot mount a small tmpfs here: that needs root on Linux")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_full_disk_is_an_error_and_passes(small_disk: Path) -> None:
    """Inserts fail whole with ClickHouse's own error while the disk is full; reads go on; freed space is used again."""
    insert = "INSERT INTO t SELECT number, randomString(100) FROM numbers(40000)"
    random = "".join(f"{number}\t{os.urandom(75).hex()}\n" for number in range(40_000))
    with _serve(small_disk) as served:
        served.ask("CREATE TABLE t (a UInt64, b String) ENGINE = MergeTree ORDER BY a")
        for _ in range(10):
            before = served.ask("SELECT count() FROM t")
            answer = httpx.post(served.url, params={"query": "INSERT INTO t FORMAT TSV"}, content=random, timeout=30)
            stored_now = int(served.ask("SELECT count() FROM t")) - int(before)
            assert (answer.headers.get("X-ClickHouse-Exception-Code"), stored_now) in {(None, 40_000), ("243", 0)}
        assert answer.headers["X-ClickHouse-Exception-Code"] == "243"
        served.ask("TRUNCATE TABLE t")
        answers = [httpx.post(served.url, content=insert, timeout=30) for _ in range(10)]
        stored = [answer for answer in answers if answer.status_code == 200]
        assert {answer.headers.get("X-ClickHouse-Exception-Code") for answer in answers} == {None, "243"}
        assert served.ask("SELECT count(), uniqExact(a) FROM t") == f"{len(stored) * 40_000}\t40000\n"
        served.ask("TRUNCATE TABLE t")
        served.ask(insert)
        assert served.ask("SELECT count() FROM t") == "40000\n"
        served.process.terminate()
        assert served.process.wait(10) == 0
