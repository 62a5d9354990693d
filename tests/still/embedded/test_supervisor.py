"""Children that start in order, crash, come back, and stop in reverse order."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from still.embedded.child import Child, Restart
from still.embedded.errors import ChildFailedError
from still.embedded.supervisor import ChildState, ChildStatus, Supervisor

# Says that it is ready by a file, and writes its name when it is told to stop.
_CHILD = """
import pathlib, signal, sys, time
name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
def stop(*_):
    with (folder / "stopped").open("a") as file: file.write(name + " ")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
with (folder / "started").open("a") as file: file.write(name + " ")
(folder / name).touch()
time.sleep(60)
"""


def _child(folder: Path, name: str, code: str = _CHILD, **changes: object) -> Child:
    argv = (sys.executable, "-c", code, name, str(folder))
    options = {"restart": Restart(first_wait_s=0.01), "ready": (folder / name).exists, **changes}
    return Child(name=name, argv=argv, **options)  # type: ignore[arg-type]


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(name="supervisor")
def _supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path / "logs")
    yield supervisor
    supervisor.stop()


def test_a_log_that_cannot_be_written_fails_the_start(supervisor: Supervisor, tmp_path: Path) -> None:
    """The caller is told which child and which file, instead of waiting for ever."""
    (tmp_path / "logs" / "a.log").mkdir(parents=True)
    with pytest.raises(ChildFailedError, match=r"a: cannot start .* with its log .*a\.log: .*directory"):
        supervisor.start([_child(tmp_path, "a")])


def test_children_start_in_order_and_stop_in_reverse(supervisor: Supervisor, tmp_path: Path) -> None:
    """Each starts when the one before is ready; later ones can be added; the last started stops first."""
    supervisor.start([_child(tmp_path, "a"), _child(tmp_path, "b")])
    supervisor.start([_child(tmp_path, "c")])
    assert {status.state for status in supervisor.statuses().values()} == {ChildState.READY}
    supervisor.stop()
    assert (tmp_path / "started").read_text() == "a b c "
    assert (tmp_path / "stopped").read_text() == "c b a "
    assert [status.exit_status for status in supervisor.statuses().values()] == [0, 0, 0]


def test_a_crashed_child_is_reported_and_comes_back(tmp_path: Path) -> None:
    """After kill -9 the child runs again under a new process id, and every state on the way was announced."""
    seen: list[ChildStatus] = []
    supervisor = Supervisor(tmp_path / "logs", on_change=seen.append)
    try:
        supervisor.start([_child(tmp_path, "a")])
        first = supervisor.statuses()["a"].pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        _until(
            lambda: supervisor.statuses()["a"].restarts == 1 and supervisor.statuses()["a"].state is ChildState.READY
        )
        assert supervisor.statuses()["a"].pid not in {first, None}
    finally:
        supervisor.stop()
    crashed = next(status for status in seen if status.state is ChildState.CRASHED)
    assert (crashed.exit_status, crashed.pid) == (-signal.SIGKILL, None)
    assert seen[-1].state is ChildState.STOPPED


def test_a_child_that_keeps_crashing_is_given_up(supervisor: Supervisor, tmp_path: Path) -> None:
    """After the allowed number of crashes in a row the child is failed, and stays visible as such."""
    restart = Restart(first_wait_s=0.01, longest_wait_s=0.01, most_in_a_row=2)
    code = "import pathlib, sys, time; pathlib.Path(sys.argv[2], 'a').touch(); time.sleep(0.2); sys.exit(3)"
    supervisor.start([_child(tmp_path, "a", code, restart=restart)])
    _until(lambda: supervisor.statuses()["a"].state is ChildState.FAILED)
    assert supervisor.statuses()["a"].exit_status == 3
    assert supervisor.statuses()["a"].restarts == 2


def test_a_child_that_would_only_fail_again_is_given_up_at_once(supervisor: Supervisor, tmp_path: Path) -> None:
    """A status in `not_after` is followed by no start, however few crashes there were."""
    restart = Restart(first_wait_s=0.01, not_after=frozenset({78}))
    code = "import pathlib, sys, time; pathlib.Path(sys.argv[2], 'a').touch(); time.sleep(0.2); sys.exit(78)"
    supervisor.start([_child(tmp_path, "a", code, restart=restart), _child(tmp_path, "b")])
    _until(lambda: supervisor.statuses()["a"].exit_status == 78)
    assert supervisor.statuses()["a"].state is ChildState.FAILED
    assert supervisor.statuses()["a"].restarts == 0
    assert supervisor.statuses()["b"].state is ChildState.READY


def test_a_start_that_fails_quotes_the_output(supervisor: Supervisor, tmp_path: Path) -> None:
    """The error names the child, how it ended and what it said; those before it still stop in order."""
    bad = _child(tmp_path, "bad", "import sys; sys.exit('no such thing')")
    with pytest.raises(ChildFailedError, match=r"bad ended with exit status 1 .* no such thing"):
        supervisor.start([_child(tmp_path, "a"), bad])
    with pytest.raises(ChildFailedError, match="cannot start '/nowhere'"):
        supervisor.start([Child("none", ("/nowhere",), ready=lambda: True)])
    with pytest.raises(ChildFailedError, match=r"late was not ready after 0.2 s"):
        supervisor.start([_child(tmp_path, "late", "import time; time.sleep(60)", ready_timeout_s=0.2)])
    supervisor.stop()
    assert (tmp_path / "stopped").read_text() == "a "


def test_a_child_that_does_not_stop_is_killed(supervisor: Supervisor, tmp_path: Path) -> None:
    """SIGKILL follows the stop signal after the grace."""
    code = "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    code += "pathlib.Path(sys.argv[2], 'a').touch(); time.sleep(60)"
    supervisor.start([_child(tmp_path, "a", code, stop_grace_s=0.1)])
    supervisor.stop()
    assert supervisor.statuses()["a"].exit_status == -signal.SIGKILL


def test_a_stop_ends_a_start_that_waits(supervisor: Supervisor, tmp_path: Path) -> None:
    """A stop does not wait for a child that is not ready yet, and starts none of those after it."""
    failures: list[ChildFailedError] = []

    def start() -> None:
        try:
            supervisor.start([_child(tmp_path, "slow", "import time; time.sleep(60)"), _child(tmp_path, "next")])
        except ChildFailedError as error:
            failures.append(error)

    starter = threading.Thread(target=start)
    starter.start()
    _until(lambda: "slow" in supervisor.statuses())
    supervisor.stop()
    starter.join(10)
    assert "slow was stopped before it was ready" in str(failures[0])
    assert "next" not in supervisor.statuses()


def test_waits_between_restarts_double_to_a_limit() -> None:
    """The first restart comes at once, later ones later, none later than the limit."""
    restart = Restart(first_wait_s=0.5, longest_wait_s=3)
    assert [restart.wait_s(crashes) for crashes in (1, 2, 3, 4, 5, 9)] == [0, 0.5, 1, 2, 3, 3]


def test_some_children_stop_and_the_others_go_on(supervisor: Supervisor, tmp_path: Path) -> None:
    """Those named stop in the reverse order of their start, stay down, and do not count as crashed."""
    supervisor.start([_child(tmp_path, name) for name in "abcd"])
    supervisor.stop_children(["b", "d", "unknown"])
    assert (tmp_path / "stopped").read_text() == "d b "
    states = {name: status.state for name, status in supervisor.statuses().items()}
    stopped, ready = ChildState.STOPPED, ChildState.READY
    assert states == {"a": ready, "b": stopped, "c": ready, "d": stopped}
    supervisor.stop()
    assert (tmp_path / "stopped").read_text() == "d b c a "
    supervisor.stop_children(["a"])


def test_a_child_that_dies_with_another_is_gone_before_that_one_starts_again(tmp_path: Path) -> None:
    """What it knew of the other's former life must not reach the next; both come back, the third stays."""
    seen: list[ChildStatus] = []
    supervisor = Supervisor(tmp_path / "logs", on_change=seen.append)
    try:
        supervisor.start([_child(tmp_path, "a"), _child(tmp_path, "b", dies_with="a"), _child(tmp_path, "c")])
        former = supervisor.statuses()
        os.kill(former["a"].pid or 0, signal.SIGKILL)
        _until(lambda: [s.restarts for s in supervisor.statuses().values() if s.state is ChildState.READY] == [1, 1, 0])
    finally:
        supervisor.stop()
    told = [(status.name, status.state) for status in seen[3 * 2 :]]
    assert told.index(("b", ChildState.CRASHED)) < told.index(("a", ChildState.STARTING))
    assert ("c", ChildState.CRASHED) not in told
