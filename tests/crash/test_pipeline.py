"""Worker and sink ended at named points and in every other way, over real brokers: the tables are the reference's."""

from __future__ import annotations

import random
import signal
import subprocess
import time

import pytest

from tests.crash.pipeline import EVENTS, SEED, WITHIN_S, Pipeline

KILLED = -signal.SIGKILL


@pytest.mark.apache
@pytest.mark.timeout(300)
@pytest.mark.parametrize("stack", ["apache"], indirect=True)
def test_worker_and_sink_are_killed_once_over_apache(pipeline: Pipeline) -> None:
    """In short what the slow tier does in full: a death between effect and commit, and between block and ledger."""
    pipeline.publish(0)
    assert ended(pipeline.worker("settled conversation.events:1")) == KILLED
    assert pipeline.committed() == {}
    assert ended(pipeline.sink("inserted conversation_events:1")) == KILLED
    worker, sink = pipeline.worker(), pipeline.sink()
    pipeline.drain()
    for process in (worker, sink):
        process.send_signal(signal.SIGTERM)
    assert (ended(worker), ended(sink)) == (0, 0)
    assert pipeline.audit() == []


def ended(process: subprocess.Popen[bytes]) -> int:
    """Its exit status, once it is over."""
    return process.wait(WITHIN_S)


@pytest.mark.timeout(900)
def test_every_way_to_die_loses_and_doubles_nothing(pipeline: Pipeline) -> None:
    """Before the first commit, between effect, acknowledgement and commit, around insert and ledger, by SIGTERM."""
    pipeline.publish(0)
    assert ended(pipeline.worker("settled conversation.events:1")) == KILLED
    assert pipeline.committed() == {}, "the first commit window: nothing is committed, and something is durable"
    for block, point in enumerate(("acked:2", "committed:1"), start=1):
        pipeline.publish(block)
        assert ended(pipeline.worker(point)) == KILLED
    points = ("leases taken:1", "insert conversation_events:1", "inserted conversation_events:1", "ledger written:1")
    for block, point in enumerate(points, start=6):
        pipeline.publish(block)
        assert ended(pipeline.sink(point)) == KILLED, point
    _stop_in_mid_batch(pipeline)
    worker, sink = pipeline.worker(), pipeline.sink()
    pipeline.publish(5)
    pipeline.drain()
    for process in (worker, sink):
        process.send_signal(signal.SIGTERM)
    assert (ended(worker), ended(sink)) == (0, 0)
    assert pipeline.audit() == []
    _replay(pipeline)


def _stop_in_mid_batch(pipeline: Pipeline) -> None:
    """SIGTERM under load must end with status 0; SIGTERM with SIGKILL 100 ms behind it may end anyhow."""
    for block, patience_s in ((3, 0.1), (4, WITHIN_S)):
        worker, sink = pipeline.worker(), pipeline.sink()
        pipeline.publish(block)
        for process in (worker, sink):
            process.send_signal(signal.SIGTERM)
        time.sleep(min(patience_s, 0.1))
        for process in (worker, sink) if patience_s < 1 else ():
            process.kill()
        allowed = {0, KILLED} if patience_s < 1 else {0}
        assert {ended(worker), ended(sink)} <= allowed


def _replay(pipeline: Pipeline) -> None:
    """The worker's group set back to 0, and then to any earlier points: no table changes by a row."""
    chance = random.Random(SEED)
    before, ends = pipeline.counts(), pipeline.committed()
    anywhere = {place: chance.randint(0, end) for place, end in ends.items()}
    for group, offsets in (("from-0", dict.fromkeys(ends, 0)), ("from-anywhere", anywhere)):
        pipeline = pipeline.set_back(group, offsets)
        worker, sink = pipeline.worker(), pipeline.sink()
        pipeline.drain()
        for process in (worker, sink):
            process.send_signal(signal.SIGTERM)
        assert (ended(worker), ended(sink)) == (0, 0)
        assert pipeline.counts() == before
    assert pipeline.audit() == []
    assert before[EVENTS] > 1000
