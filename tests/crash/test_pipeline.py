"""Worker and sink ended at named points and in every other way, over real brokers: the tables are the reference's."""

from __future__ import annotations

import random
import signal
import subprocess
import time

import pytest

from tests.crash.pipeline import EVENTS, SEED, WITHIN_S, Pipeline

KILLED = -signal.SIGKILL
DEATHS = (
    ("settled conversation.events:1", "leases taken:1"),
    ("acked:2", "insert conversation_events:1"),
    ("committed:1", "inserted conversation_events:1"),
    ("settled conversations:1", "ledger written:1"),
)
"""Where a worker and the sink beside it die, one pair after the other."""


@pytest.mark.apache
@pytest.mark.timeout(300)
@pytest.mark.parametrize("stack", ["apache"], indirect=True)
def test_worker_and_sink_are_killed_once_over_apache(pipeline: Pipeline) -> None:
    """In short what the slow tier does in full: a death between effect and commit, and between block and ledger."""
    pipeline.publish(0)
    died = pipeline.both("settled conversation.events:1", "inserted conversation_events:1")
    assert ended(*died) == [KILLED, KILLED]
    assert pipeline.committed() == {}
    running = pipeline.both()
    pipeline.drain()
    assert stopped(*running) == [0, 0]
    assert pipeline.audit() == []


def ended(*processes: subprocess.Popen[bytes]) -> list[int]:
    """Their exit statuses, once they are over."""
    return [process.wait(WITHIN_S) for process in processes]


def stopped(*processes: subprocess.Popen[bytes]) -> list[int]:
    """The same, by SIGTERM."""
    for process in processes:
        process.send_signal(signal.SIGTERM)
    return ended(*processes)


@pytest.mark.timeout(900)
def test_every_way_to_die_loses_and_doubles_nothing(pipeline: Pipeline) -> None:
    """Before the first commit, between effect, acknowledgement and commit, around insert and ledger, by SIGTERM."""
    for block, points in enumerate(DEATHS):
        pipeline.publish(block)
        assert ended(*pipeline.both(*points)) == [KILLED, KILLED], points
        assert block > 0 or pipeline.committed() == {}, "nothing is committed, and something is durable"
    _stop_in_mid_batch(pipeline)
    running = pipeline.both()
    pipeline.publish(len(DEATHS) + 2)
    pipeline.drain()
    assert stopped(*running) == [0, 0]
    assert pipeline.audit() == []
    _replay(pipeline)


def _stop_in_mid_batch(pipeline: Pipeline) -> None:
    """SIGTERM with SIGKILL 100 ms behind it may end anyhow; SIGTERM under load must end with status 0."""
    running = pipeline.both()
    pipeline.publish(len(DEATHS))
    for process in running:
        process.send_signal(signal.SIGTERM)
    time.sleep(0.1)
    for process in running:
        process.kill()
    assert set(ended(*running)) <= {0, KILLED}
    running = pipeline.both()
    pipeline.publish(len(DEATHS) + 1)
    assert stopped(*running) == [0, 0]


def _replay(pipeline: Pipeline) -> None:
    """The worker's group set back to 0, and then to any earlier points: no table changes by a row."""
    chance = random.Random(SEED)
    before, ends = pipeline.counts(), pipeline.committed()
    anywhere = {place: chance.randint(0, end) for place, end in ends.items()}
    for group, offsets in (("from-0", dict.fromkeys(ends, 0)), ("from-anywhere", anywhere)):
        pipeline = pipeline.set_back(group, offsets)
        running = pipeline.both()
        pipeline.drain()
        assert stopped(*running) == [0, 0]
        assert pipeline.counts() == before
    assert pipeline.audit() == []
    assert before[EVENTS] > 1000
