"""Starts, watches and stops child processes; knows nothing of what they are.

Children start in the given order, each once the one before is ready, and stop in the reverse order. A child that
ends without being asked is reported and started again, with growing waits; its state is always visible.
"""

import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import structlog

from still.embedded.child import Child
from still.embedded.errors import ChildFailedError

log = structlog.get_logger(__name__)

_POLL_S = 0.05
_STEADY_S = 60.0  # a child that was ready this long starts counting crashes afresh
_TAIL_BYTES = 2000


class ChildState(StrEnum):
    """Where a child is in its life."""

    STARTING = "starting"
    READY = "ready"
    CRASHED = "crashed"  # waits for its restart
    FAILED = "failed"  # given up
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ChildStatus:
    """What is visible of a child.

    Its state, process id (None while it does not run), restarts, last exit status, and where it tells its health.
    """

    name: str
    state: ChildState
    pid: int | None = None
    restarts: int = 0
    exit_status: int | None = None
    health_url: str | None = None


class Supervisor:
    """Runs children until `stop`.

    One thread of its own starts and watches them and lives until `stop`: the kernel ties a child's life to the thread
    that started it (`still.embedded.parent`).
    """

    def __init__(self, logs: Path, *, on_change: Callable[[ChildStatus], None] | None = None) -> None:
        """Children's output goes to `logs/NAME.log`; `on_change` hears of every new state, in the watching thread."""
        self._logs = logs
        self._on_change = on_change or (lambda _: None)
        self._runs: list[_Run] = []
        self._orders: queue.SimpleQueue[tuple[Callable[[], None], Future[None]]] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._main, name="supervisor", daemon=True)

    def start(self, children: Sequence[Child], given_up: threading.Event | None = None) -> None:
        """Starts `children` after those that run already, and returns when the last one is ready.

        Raises:
            ChildFailedError: one did not become ready; all others go on until `stop`. Or `given_up` was set meanwhile;
                then all are stopped.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        if not self._thread.is_alive():
            self._thread.start()
        self._order(lambda: self._start_in_order(children), given_up)

    def stop_children(self, names: Collection[str]) -> None:
        """Stops these in the reverse order of their start, as `stop` does; the others go on."""
        if self._thread.is_alive():
            self._order(lambda: self._stop_in_order(names))

    def stop(self) -> None:
        """Stops all children in reverse order: their stop signal, then SIGKILL after their grace. Idempotent."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _order(self, action: Callable[[], None], given_up: threading.Event | None = None) -> None:
        """Has the thread do it, and returns, or raises, when it is done; stops everything once it is given up."""
        done: Future[None] = Future()
        self._orders.put((action, done))
        while given_up is not None and not done.done():
            wait([done], timeout=_POLL_S)
            if given_up.is_set():
                self._stopping.set()
        done.result()

    def statuses(self) -> dict[str, ChildStatus]:
        """The present state of each child, by name, in the order in which they started."""
        return {run.child.name: run.status for run in list(self._runs)}

    def _main(self) -> None:
        try:
            while not self._stopping.is_set():
                self._obey_for(_POLL_S)
                self._watch()
        finally:
            for run in reversed(self._runs):
                run.stop()

    def _watch(self) -> None:
        for run in self._runs:
            before = run.status.state
            run.watch(time.monotonic())
            if run.status.state is not before and run.status.state in {ChildState.CRASHED, ChildState.FAILED}:
                self._kill_those_that_die_with(run.child.name)

    def _kill_those_that_die_with(self, name: str) -> None:
        for run in self._runs:
            if run.child.dies_with == name:
                run.kill()

    def _obey_for(self, wait_s: float) -> None:
        try:
            action, done = self._orders.get(timeout=wait_s)
        except queue.Empty:
            return
        try:
            action()
        except ChildFailedError as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    def _start_in_order(self, children: Sequence[Child]) -> None:
        for child in children:
            if self._stopping.is_set():
                raise ChildFailedError(f"{child.name} was not started: the supervisor is stopping")
            run = _Run(child, self._logs / f"{child.name}.log", self._on_change)
            self._runs.append(run)
            run.start()
            run.wait_ready(self._stopping)

    def _stop_in_order(self, names: Collection[str]) -> None:
        for run in reversed(self._runs):
            if run.child.name in names:
                run.stop()


class _Run:
    """One child over its starts; only the supervisor's thread calls it."""

    def __init__(self, child: Child, log_path: Path, changed: Callable[[ChildStatus], None]) -> None:
        self.child = child
        self.status = ChildStatus(child.name, ChildState.STOPPED, health_url=child.health_url)
        self._log_path = log_path
        self._changed = changed
        self._process: subprocess.Popen[bytes] | None = None
        self._crashes = 0
        self._deadline = 0.0  # of becoming ready, or of the next start
        self._ready_since = 0.0

    def start(self) -> None:
        """Starts the process; its log begins anew with the first start."""
        try:
            with self._log_path.open("ab" if self._crashes else "wb") as output:
                self._process = subprocess.Popen(
                    self.child.argv,
                    env={**os.environ, **self.child.env},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    # A Ctrl-C at the terminal is for the supervisor, which stops its children in order.
                    start_new_session=True,
                )
        except OSError as error:
            raise ChildFailedError(
                f"{self.child.name}: cannot start {self.child.argv[0]!r} with its log {self._log_path}: {error}"
            ) from None
        self._deadline = time.monotonic() + self.child.ready_timeout_s
        self._set(ChildState.STARTING, pid=self._process.pid)

    def wait_ready(self, stopping: threading.Event) -> None:
        """Waits until the process that was just started is ready, or raises `ChildFailedError`."""
        while not self.child.ready():
            if self._exit_status() is not None:
                raise self._failed(f"ended with exit status {self._exit_status()} before it was ready")
            if time.monotonic() > self._deadline:
                raise self._failed(f"was not ready after {self.child.ready_timeout_s:g} s")
            if stopping.wait(_POLL_S):
                raise ChildFailedError(f"{self.child.name} was stopped before it was ready")
        self._became_ready()

    def watch(self, now: float) -> None:
        """One look: notices a crash, a late start, or that the time for a restart has come."""
        state = self.status.state
        if state in {ChildState.STARTING, ChildState.READY} and self._exit_status() is not None:
            self._crashed(now)
        elif state is ChildState.STARTING and self.child.ready():
            self._became_ready()
            log.info("child_ready_again", child=self.child.name, pid=self.status.pid, restarts=self.status.restarts)
        elif state is ChildState.STARTING and now > self._deadline:
            self.kill()
        elif state is ChildState.READY and now - self._ready_since > _STEADY_S:
            self._crashes = 0
        elif state is ChildState.CRASHED and now >= self._deadline:
            self._restart(now)

    def stop(self) -> None:
        """Ends the process, by force after its grace."""
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(self.child.stop_signal)
            try:
                process.wait(self.child.stop_grace_s)
            except subprocess.TimeoutExpired:
                log.warning("child_killed", child=self.child.name, pid=process.pid, after_s=self.child.stop_grace_s)
                self.kill()
        if process is not None:
            self._set(ChildState.STOPPED, pid=None, exit_status=process.returncode)

    def _restart(self, now: float) -> None:
        self.status = replace(self.status, restarts=self.status.restarts + 1)
        try:
            self.start()
        except ChildFailedError as error:
            log.error("child_not_restarted", child=self.child.name, error=str(error))  # noqa: TRY400, no traceback
            self._crashed(now)
            return
        log.warning("child_restarted", child=self.child.name, pid=self.status.pid, restarts=self.status.restarts)

    def _became_ready(self) -> None:
        self._ready_since = time.monotonic()
        self._set(ChildState.READY, pid=self.status.pid)

    def _crashed(self, now: float) -> None:
        exit_status = self._exit_status()
        self._crashes += 1
        restart = self.child.restart
        given_up = restart is None or restart.gives_up(self._crashes, exit_status)
        log.error(
            "child_crashed", child=self.child.name, pid=self.status.pid, exit_status=exit_status, output=self._tail()
        )
        if restart is not None and not given_up:
            self._deadline = now + restart.wait_s(self._crashes)
        else:
            log.error("child_given_up", child=self.child.name, exit_status=exit_status,
                      help=f"mend what the end of {self._log_path} says, then start the stack again")  # fmt: skip
        self._set(ChildState.FAILED if given_up else ChildState.CRASHED, pid=None, exit_status=exit_status)

    def _failed(self, what: str) -> ChildFailedError:
        self._set(ChildState.FAILED, pid=None, exit_status=self._exit_status())
        return ChildFailedError(f"{self.child.name} {what}; its log {self._log_path} ends: {self._tail()}")

    def kill(self) -> None:
        """Ends the process by force, if there is one; the next look notices."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def _exit_status(self) -> int | None:
        return None if self._process is None else self._process.poll()

    def _tail(self) -> str:
        return self._log_path.read_bytes()[-_TAIL_BYTES:].decode(errors="replace").strip()

    def _set(self, state: ChildState, *, pid: int | None, exit_status: int | None = None) -> None:
        self.status = replace(self.status, state=state, pid=pid, exit_status=exit_status)
        self._changed(self.status)
