"""SIGTERM while Kafka stands still: the trainer ends in time."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.exits import STOPPED_LATE
from still.embedded.stack import EmbeddedStack
from tests.crash.commands import Place
from tests.crash.started import standing_still

ENDS_WITHIN_S = 15.0
"""Ten seconds, and what a loaded machine takes; the announced events would be waited for half a minute."""


def test_a_stop_while_kafka_has_no_answer_ends(
    running: EmbeddedStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trainer that waits for what is announced ends with a status of its own: its next start waits for it again."""
    place = Place(running.stack.bootstrap_servers, "late.", running.stack.clickhouse_url, "late", tmp_path)
    place.prepare(monkeypatch)
    with standing_still(running, "broker"), place.running("trainer") as process:
        process.terminate()
        assert process.wait(ENDS_WITHIN_S) == STOPPED_LATE
    assert "stopped_late" in place.log("trainer").read_text()
