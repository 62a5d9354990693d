"""Apache Kafka for tests: one node for the session, and one of a test's own that it may kill.

A test with the marker `apache` needs Java and Maven. Where they are missing it is skipped, and fails instead under
`REQUIRE_APACHE=1`, which `.ci/run` sets. Tests that share the node stay apart by topic prefix (`tests/stack.py`).

A folder's `conftest.py` that takes `on_either` for its `stack` has each of its tests twice: over Tansu in the tier that
the test names, and over Apache Kafka in the slow tier.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from still.embedded.apache.broker import apache_child
from still.embedded.apache.jars import fetched_jars, java
from still.embedded.broker import cluster_id_of
from still.embedded.errors import MissingPartError
from still.embedded.ports import LOOPBACK, choose_port
from still.embedded.stack import Stack

EITHER = ("tansu", pytest.param("apache", marks=[pytest.mark.slow, pytest.mark.apache]))
"""The parameters of a fixture that gives a broker by name; the embedded one is `Stack`'s `memory`."""
_READY_SECONDS = 100.0


class ApacheNode:
    """A broker process of one folder and port, to be started, killed and started again."""

    def __init__(self, folder: Path) -> None:
        port = choose_port(0)
        self.bootstrap_servers = f"{LOOPBACK}:{port}"
        self._child = apache_child(port, folder)
        self._log = folder.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(self._child.argv, stdout=output, stderr=output)
        deadline = time.monotonic() + _READY_SECONDS
        while not self._child.ready():
            assert self._process.poll() is None, f"Apache Kafka ended at its start: {self._said()}"
            assert time.monotonic() < deadline, f"Apache Kafka was not ready: {self._said()}"

    def kill(self) -> None:
        """`kill -9`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _said(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")[-2000:]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip or fail a marked test where Apache Kafka cannot run."""
    if item.get_closest_marker("apache") is None:
        return
    try:
        java()
        fetched_jars()
    except MissingPartError as error:
        if os.environ.get("REQUIRE_APACHE") == "1":
            pytest.fail(f"REQUIRE_APACHE=1, but {error}", pytrace=False)
        pytest.skip(str(error))


@pytest.fixture(scope="session", name="apache")
def _apache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheNode]:
    """One running node for the whole session; do not kill it. Use with the marker `apache`."""
    yield from _running(tmp_path_factory.mktemp("apache") / "kafka")


@pytest.fixture(name="own_apache")
def _own_apache(tmp_path: Path) -> Iterator[ApacheNode]:
    """A running node of this test alone, which it may kill and start again. Use with the marker `apache`."""
    yield from _running(tmp_path / "apache")


def on_either(request: pytest.FixtureRequest, stack: Stack) -> Stack:
    """The stack with the broker that the parameter of the fixture names."""
    if request.param == "tansu":
        return stack
    servers = request.getfixturevalue("apache").bootstrap_servers
    return replace(stack, bootstrap_servers=servers, cluster_id=str(cluster_id_of(servers, 30.0)), broker="apache")


def _running(folder: Path) -> Iterator[ApacheNode]:
    node = ApacheNode(folder)
    try:
        node.start()
        yield node
    finally:
        node.kill()
