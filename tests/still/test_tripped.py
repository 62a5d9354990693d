"""A process that reached its ceiling stays stopped, however often it is started again."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.exits import TRIPPED
from schemas.records import DeadLetter
from still import tripped
from still.__main__ import main
from still.errors import Tripped
from still.processes import child_of
from still.settings import Settings
from streams.chunk import Chunk
from streams.errors import TooManyRejected
from streams.settings import AssembleSettings, RedactSettings
from streams.stage_assemble import AssembleStage
from streams.values import Arrived
from tests.streams.recorded_log import RecordedLog

POISON, TOGETHER, STARTS = 20_000, 20, 25
REASON = "conversation.events[0] refused the last 1000 records in a row"


def live(settings: Settings, log: RecordedLog, start: int) -> int:
    """One life of a worker on nothing but poison; the offset up to which it acknowledged."""
    tripped.stay_stopped(settings, "worker")
    redaction = RedactSettings(b"a key of tests, 32 bytes long...")
    stage = AssembleStage(log.log(), log.states, AssembleSettings(), redaction, settings.limits)
    for first in range(start, POISON, TOGETHER):
        poison = tuple(Arrived(offset, offset * 1000, b"key", b"?") for offset in range(first, first + TOGETHER))
        try:
            stage.settle(Chunk("conversation.events", 0, poison, 1))
        except TooManyRejected as error:
            tripped.remember(settings, "worker", str(error))
            return first
    return POISON


def test_restarts_drain_no_topic(tmp_path: Path) -> None:
    """However often a bad version is started again, fewer letters are written than one run may have."""
    settings, log = Settings(folder=tmp_path), RecordedLog()
    at = live(settings, log, 0)
    for _ in range(STARTS):
        with pytest.raises(Tripped, match=r"the worker stopped at .* and stays so: conversation.events\[0\] refused"):
            at = live(settings, log, at)
    assert 0 < at == len(log.of("dead.letters", DeadLetter)) < settings.limits.run


def test_one_process_does_not_stop_another(tmp_path: Path) -> None:
    """A worker's note holds no sink back."""
    settings = Settings(folder=tmp_path)
    tripped.remember(settings, "worker", REASON)
    tripped.stay_stopped(settings, "sink")
    with pytest.raises(Tripped, match="the worker stopped"):
        tripped.stay_stopped(settings, "worker")


def test_another_version_starts_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be the repaired one; the old one's note is gone for good."""
    settings = Settings(folder=tmp_path)
    tripped.remember(settings, "worker", REASON)
    with monkeypatch.context() as patch:
        patch.setattr(tripped, "version", lambda _: "0.1.1")
        tripped.stay_stopped(settings, "worker")
    tripped.stay_stopped(settings, "worker")
    assert tripped.forget(tmp_path) == []


def test_other_limits_start_again(tmp_path: Path) -> None:
    """Whoever raises them has decided that these records may all become letters."""
    tripped.remember(Settings(folder=tmp_path), "worker", REASON)
    tripped.stay_stopped(Settings(folder=tmp_path, refused_run=10**6), "worker")
    assert tripped.forget(tmp_path) == []


def test_resume_lets_the_same_version_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each note is removed and named; where there is none, that is said."""
    settings = Settings(folder=tmp_path)
    for process in ("worker", "sink"):
        tripped.remember(settings, process, REASON)
    monkeypatch.setenv("STILL_FOLDER", str(tmp_path))
    assert main(["resume"]) == 0
    said = capsys.readouterr().out
    assert said.count("start the process again") == 2
    for process in ("worker", "sink"):
        assert str(tmp_path / f"tripped-{process}.json") in said
        tripped.stay_stopped(settings, process)
    assert main(["resume"]) == 0
    assert capsys.readouterr().out == f"nothing of {tmp_path} has stopped at a ceiling\n"


@pytest.mark.parametrize("process", ["worker", "sink"])
def test_a_stopped_process_says_so_in_one_line(
    process: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Before it looks for a broker; with the status after which nothing starts it again."""
    monkeypatch.setenv("STILL_FOLDER", str(tmp_path))
    tripped.remember(Settings(), process, REASON)
    assert main([process]) == TRIPPED
    said = capfd.readouterr().err
    assert said.startswith(f"error: the {process} stopped at 20")
    assert said.endswith(f" and stays so: {REASON}\n")


def test_half_a_note_stops_too(tmp_path: Path) -> None:
    """What a full disk left is no leave to go on; the line says how to."""
    (tmp_path / "tripped-sink.json").touch()
    with pytest.raises(Tripped, match=r"tripped-sink.json says that a ceiling was reached.*`still resume`"):
        tripped.stay_stopped(Settings(folder=tmp_path), "sink")


def test_a_note_that_cannot_be_written_stops_no_stop(tmp_path: Path) -> None:
    """The process ends with its status all the same."""
    (tmp_path / "folder").touch()
    tripped.remember(Settings(folder=tmp_path / "folder"), "worker", REASON)
    assert (tmp_path / "folder").read_bytes() == b""


@pytest.mark.parametrize("process", ["worker", "sink"])
def test_the_stack_does_not_start_it_again(process: str, tmp_path: Path) -> None:
    """`still up` gives such a child up at its first end, and no other one."""
    restart = child_of(process, tmp_path, 1, broker_forgets=True).restart  # type: ignore[arg-type]
    assert restart is not None
    assert restart.gives_up(1, TRIPPED)
    assert not restart.gives_up(1, 70)
