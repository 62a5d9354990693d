"""Broker and ClickHouse of one folder, and the file that tells other processes where they are.

`stack.json` is written whole or not at all, and counts only while the lock beside it is held: what a kill -9
left behind is recognised as stale.
"""

import contextlib
import json
import os
import threading
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import structlog

from still.embedded.apache.broker import apache_child
from still.embedded.apache.jars import fetched_jars, java
from still.embedded.broker import broker_child, cluster_id_of
from still.embedded.child import Child
from still.embedded.clickhouse.child import clickhouse_child
from still.embedded.errors import StackNotRunningError
from still.embedded.lock import folder_lock, is_held
from still.embedded.ports import LOOPBACK, choose_port
from still.embedded.supervisor import ChildState, ChildStatus, Supervisor

log = structlog.get_logger(__name__)

LOCK_NAME = "stack.lock"
STACK_FILE = "stack.json"

Broker = Literal["memory", "apache"]
"""`memory`: forgets everything with its process. `apache`: Apache Kafka itself, durable in the folder."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Preferred ports on loopback; a taken one is replaced by a free one."""

    broker: int = 19092
    clickhouse: int = 18123


@dataclass(frozen=True, slots=True)
class Stack:
    """Where a running stack is.

    Attributes:
        bootstrap_servers: the broker's address, for any Kafka client.
        cluster_id: of the broker's present life; a restarted broker has another and begins at offset 0.
        clickhouse_url: for clickhouse-connect's `dsn`, curl, Grafana.
        folder: holds data, logs and `stack.json`.
        pid: the process that runs the stack.
        started_at: ISO 8601, UTC.
        broker: which one it is.
        health_url: where the process that runs the stack tells its health; None = nowhere.
    """

    bootstrap_servers: str
    cluster_id: str
    clickhouse_url: str
    folder: Path
    pid: int
    started_at: str
    broker: Broker = "memory"
    health_url: str | None = None


class EmbeddedStack:
    """A stack that this process runs; more children can be started on top of broker and ClickHouse."""

    def __init__(
        self, folder: Path, ports: Ports, broker: Broker = "memory", given_up: threading.Event | None = None
    ) -> None:
        """Prepares the stack; the caller holds the folder's lock, and may give up a start that takes long."""
        self._given_up = given_up
        self._broker = broker
        self._health_url: str | None = None
        self.supervisor = Supervisor(folder / "logs", on_change=self._on_change)
        self._folder = folder
        self._broker_port = choose_port(ports.broker)
        self._clickhouse_port = choose_port(ports.clickhouse)
        self._started_at = datetime.now(UTC).isoformat(timespec="seconds")
        self._stack: Stack | None = None
        self._writing = threading.Lock()
        # What a killed stack left names ports that another folder's stack may have by now.
        (folder / STACK_FILE).unlink(missing_ok=True)

    @property
    def stack(self) -> Stack:
        """Where it is; the cluster id changes when the broker had to be restarted."""
        if self._stack is None:
            raise StackNotRunningError(f"the stack in {str(self._folder)!r} has not been started")
        return self._stack

    def start(self) -> None:
        """Starts broker and ClickHouse and waits until both answer."""
        durable = self._broker == "apache"
        broker = apache_child(self._broker_port, self._folder / "kafka") if durable else broker_child(self._broker_port)
        clickhouse = clickhouse_child(self._folder / "clickhouse", self._clickhouse_port)
        self.supervisor.start([broker, clickhouse], self._given_up)
        self.refresh()

    def start_more(self, children: list[Child]) -> None:
        """Starts further children, which stop before broker and ClickHouse do."""
        self.supervisor.start(children, self._given_up)

    def stop_children(self, names: Collection[str]) -> None:
        """Stops these in the reverse order of their start; the others go on."""
        self.supervisor.stop_children(names)

    def note_health(self, url: str) -> None:
        """Tells in `stack.json` where this process itself answers /metrics, /healthz and /readyz."""
        self._health_url = url
        self.refresh()

    def stop(self) -> None:
        """Stops everything and takes `stack.json` away."""
        self.supervisor.stop()
        (self._folder / STACK_FILE).unlink(missing_ok=True)

    def refresh(self) -> None:
        """Reads the broker's cluster id anew and tells it in `stack.json`."""
        bootstrap_servers = f"{LOOPBACK}:{self._broker_port}"
        cluster_id = cluster_id_of(bootstrap_servers, timeout_s=5.0)
        if cluster_id is None:
            # It died in this moment, or is slow: its restart, or whoever finds another cluster, comes by here again.
            log.warning("broker_without_metadata", bootstrap_servers=bootstrap_servers)
            return
        clickhouse_url = f"http://{LOOPBACK}:{self._clickhouse_port}"
        folder, pid = self._folder.resolve(), os.getpid()
        self._stack = Stack(
            bootstrap_servers, cluster_id, clickhouse_url, folder, pid, self._started_at, self._broker, self._health_url
        )
        self._write()

    def _on_change(self, status: ChildStatus) -> None:
        if self._stack is None:
            return
        try:
            if status.name == "broker" and status.state is ChildState.READY:
                self.refresh()
            else:
                self._write()
        except OSError as error:
            # A full disk must not end the thread that the children live by: the memory-only broker would go with it.
            log.error("stack_file_not_written", file=str(self._folder / STACK_FILE), reason=str(error))  # noqa: TRY400

    def _write(self) -> None:
        children = {name: asdict(status) for name, status in self.supervisor.statuses().items()}
        text = json.dumps({**asdict(self.stack), "folder": str(self.stack.folder), "children": children}, indent=2)
        part = self._folder / f"{STACK_FILE}.part"
        with self._writing:
            part.write_text(text + "\n", encoding="utf-8")
            part.replace(self._folder / STACK_FILE)


@contextlib.contextmanager
def embedded_stack(
    folder: Path, ports: Ports | None = None, broker: Broker = "memory", given_up: threading.Event | None = None
) -> Iterator[EmbeddedStack]:
    """Runs broker and ClickHouse on `folder` for as long as the context lasts.

    Raises:
        MissingPartError: the broker needs something that is not on this machine; nothing has been started.
        FolderHeldError: another process runs a stack on this folder.
        ChildFailedError: the broker or ClickHouse did not start, or was given up.
    """
    if broker == "apache":
        java()
        fetched_jars()
    with folder_lock(folder, LOCK_NAME):
        running = EmbeddedStack(folder, ports or Ports(), broker, given_up)
        try:
            running.start()
            yield running
        finally:
            running.stop()


@contextlib.contextmanager
def running_stack(folder: Path, ports: Ports | None = None) -> Iterator[Stack]:
    """Like `embedded_stack`, for those who only need the addresses."""
    with embedded_stack(folder, ports) as running:
        yield running.stack


def read_stack(folder: Path) -> Stack:
    """Finds the stack that runs on `folder`.

    Raises:
        StackNotRunningError: none does; a file left by a killed one does not count.
    """
    return Stack(**{name: value for name, value in _read(folder).items() if name != "children"})


def read_children(folder: Path) -> dict[str, ChildStatus]:
    """The children of the stack that runs on `folder`, as its supervisor last saw them.

    Raises:
        StackNotRunningError: none runs.
    """
    return {
        name: ChildStatus(**{**status, "state": ChildState(status["state"])})
        for name, status in _read(folder)["children"].items()
    }


def absence(folder: Path) -> str | None:
    """Why nobody can use this folder's own stack now, and what to do; None = there is no sign that it ever had one."""
    if is_held(folder, LOCK_NAME):
        return f"the stack in {str(folder)!r} is starting or stopping; wait until `still up` shows it"
    if any((folder / name).exists() for name in (STACK_FILE, "clickhouse", "kafka")):
        return f"no stack runs in {str(folder)!r}; start it with `still up`"
    return None


def _read(folder: Path) -> dict[str, Any]:
    path = folder / STACK_FILE
    if not is_held(folder, LOCK_NAME) or not path.exists():
        raise StackNotRunningError(f"no stack runs in {str(folder)!r}; start one with `still up`")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return {**found, "folder": Path(found["folder"])}
