"""The main job: its audit is silent where ClickHouse says what the files say, else loud; its stack ends with it."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.main_job import Figures, audit
from tests.crash.started import end
from tests.streams.log import eventually

_STACK = """
import sys
from pathlib import Path
from bench.main_job import Job
with Job(Path(sys.argv[1])).stack():
    pass
"""

OWN = {"run.json": Figures(conversations=3, rewards=2.0, cost=0.5, cost_unknown=1, tokens=900)}
ROW = {"file": "run.json", "ids": 3, "conversations": 3, "rewards": 2.0, "cost": 0.50000001} | {
    "cost_unknown": 1,
    "tokens": 900,
}


def test_equal_figures_are_no_fault() -> None:
    """The same figures, costs to a hundredth of a cent, make no difference."""
    assert audit([ROW], OWN) == []


@pytest.mark.parametrize(
    "change",
    [{"ids": 2}, {"conversations": 4}, {"rewards": 1.0}, {"cost": None}, {"cost_unknown": 0}, {"tokens": 899}],
)
def test_each_difference_is_a_fault(change: dict[str, Any]) -> None:
    """A lost, doubled or altered conversation, and a figure that was guessed, is one fault of its file."""
    assert len(audit([{**ROW, **change}], OWN)) == 1


def test_a_file_without_rows_and_rows_without_a_file_are_faults() -> None:
    """What did not land is a fault, and so is what came from nowhere."""
    assert len(audit([{**ROW, "file": "other.json"}], OWN)) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere an orphan has to be stopped by hand")
def test_its_stack_does_not_outlive_it(tmp_path: Path) -> None:
    """A kill -9 of the job ends the `still up` that it has started, and what that has started."""
    job = subprocess.Popen([sys.executable, "-c", _STACK, str(tmp_path)])
    try:
        eventually(lambda: len(_children(job.pid)) == 1, 30, "`still up`")
        (up,) = _children(job.pid)
        eventually(lambda: bool(_children(up)), 30, "a child of `still up`")
        stack = [up, *_children(up)]
    finally:
        end([job])
    try:
        eventually(lambda: not any(map(_runs, stack)), 30, "the end of `still up` and of its children")
    finally:
        for one in stack:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGTERM)


def _children(pid: int) -> list[int]:
    """The processes that a process has started, whichever thread of it did, and that run."""
    found: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread may have ended since
            found += map(int, file.read_text(encoding="ascii").split())
    return found


def _runs(pid: int) -> bool:
    """Whether a process is there, and no zombie that nobody has waited for."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
        return stat.rpartition(")")[2].split()[0] != "Z"
    return False
