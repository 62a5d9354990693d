"""`still worker` and `still sink` on a log of nothing but poison, started again and again as Compose would."""

from __future__ import annotations

import pytest

from schemas import codec
from schemas.exits import TRIPPED
from schemas.records import DeadLetter
from still.__main__ import main
from tests.crash.commands import Place
from tests.streams.log import read, write

RUN, POISON, WITHIN_S = 300, 3000, 90.0
STAGES = {"worker": ("assemble", "conversation.events"), "sink": ("sink", "scores")}
"""Of each command a stage, and a topic of which it refuses what is no record; the sink keeps such events as rows."""


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("command", STAGES)
def test_restarts_drain_no_topic(command: str, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It trips once and then stays down, each start with status 78; after `still resume` it runs till it trips anew."""
    monkeypatch.setenv("STILL_REFUSED_RUN", str(RUN))
    write(place.bootstrap_servers, place.prefix + STAGES[command][1], [(b"one key", b"?")] * POISON)
    for _ in range(3):
        assert _life(place, command) == TRIPPED
    assert _starts_refused(place, command) == 2
    assert _letters(place, command) < RUN
    assert main(["resume"]) == 0
    assert _life(place, command) == TRIPPED
    assert _starts_refused(place, command) == 2
    assert _letters(place, command) < 2 * RUN


def _life(place: Place, command: str) -> int:
    with place.running(command) as process:
        return process.wait(WITHIN_S)


def _starts_refused(place: Place, command: str) -> int:
    said = place.log(command).read_text(encoding="utf-8")
    assert "Traceback" not in said
    return said.count(f"error: the {command} stopped at")


def _letters(place: Place, command: str) -> int:
    values = [message.value() for message in read(place.bootstrap_servers, f"{place.prefix}dead.letters")]
    return sum(codec.decode(value, DeadLetter).stage == STAGES[command][0] for value in values if value is not None)
