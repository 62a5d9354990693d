"""What a worker's gauges say when it matters: while a stage hangs, and after partitions went to another worker."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from still.embedded.ports import LOOPBACK, choose_port
from still.embedded.stack import Stack
from streams.produce import Producer, ProduceSettings
from tests.crash.started import end
from tests.crash.stuck_process import HANG
from tests.streams.log import PARTITIONS, eventually, make_topics, write

EVENTS, CONVERSATIONS = "conversation.events", "conversations"
QUEUED = 4096
"""What Faust lets wait for an agent, if nobody tells it otherwise."""
MANY = 2 * QUEUED
BUFFER_BYTES = 32_000_000
Figures = dict[tuple[str, str, int], float]
"""Value by gauge, topic, partition."""


@contextmanager
def _worker(stack: Stack, prefix: str, folder: Path, name: str, *more: str) -> Iterator[str]:
    """A worker that is ready; gives its URL."""
    folder.mkdir(exist_ok=True)
    url = f"http://{LOOPBACK}:{(port := choose_port(0))}"
    argv = [sys.executable, "-m", "tests.crash.stuck_process", stack.bootstrap_servers, prefix, str(folder), str(port)]
    with (folder / "worker.log").open("ab") as log:
        process = subprocess.Popen([*argv, name, *more], stderr=log)
    try:
        eventually(lambda: _is_ready(url) or process.poll() is not None, 120, "a ready worker")
        yield url
    finally:
        end([process])


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=30).is_success
    except httpx.ConnectError:
        return False


def _figures(url: str) -> Figures:
    families = text_string_to_metric_families(httpx.get(f"{url}/metrics", timeout=30).text)
    samples = [sample for family in families for sample in family.samples if "partition" in sample.labels]
    return {
        (s.name.removeprefix("still_worker_"), s.labels["topic"], int(s.labels["partition"])): s.value for s in samples
    }


def _lag(url: str) -> float:
    """Over all partitions of the events; -1 = some partition's is not known."""
    figures = _figures(url)
    lags = [figures.get(("lag_records", EVENTS, number)) for number in range(PARTITIONS)]
    return -1 if None in lags else sum(lag or 0 for lag in lags)


def _events(numbers: range) -> list[tuple[bytes | None, bytes | None]]:
    """Records that are refused: what they cost is one letter each, and nothing else."""
    return [(str(number).encode(), b"no event") for number in numbers]


def _write_one_by_one(stack: Stack, topic: str, numbers: range) -> None:
    """Each in a batch of its own: of its last batch the embedded broker tells only the first record."""
    producer = Producer(ProduceSettings(stack.bootstrap_servers))
    for key, value in _events(numbers):
        batch = producer.batch()
        batch.send(topic, key, value)
        batch.confirm().result()
    producer.close()


@pytest.mark.timeout(240)
def test_lag_and_freshness_grow_while_a_stage_hangs(stack: Stack, topic_prefix: str, tmp_path: Path) -> None:
    """Nothing is fetched any more, for the buffers are full, and still each event that comes is counted."""
    make_topics(stack.bootstrap_servers, topic_prefix)
    with _worker(stack, topic_prefix, tmp_path, "a") as url:
        eventually(lambda: _lag(url) == 0, 60, "no lag where there are no records")
        (tmp_path / HANG).touch()
        _write_one_by_one(stack, f"{topic_prefix}{EVENTS}", range(40))
        eventually(lambda: _lag(url) == 40, 60, "a lag of all that came")
        oldest_s = max(value for (name, *_), value in _figures(url).items() if name == "freshness_seconds")
        _write_one_by_one(stack, f"{topic_prefix}{EVENTS}", range(40, 60))
        eventually(lambda: _lag(url) == 60, 60, "a lag that grows")
        assert max(value for (name, *_), value in _figures(url).items() if name == "freshness_seconds") > oldest_s
        (tmp_path / HANG).unlink()
        eventually(lambda: _lag(url) == 0, 60, "no lag")


@pytest.mark.timeout(240)
def test_a_hung_stage_does_not_hold_up_the_other(stack: Stack, topic_prefix: str, tmp_path: Path) -> None:
    """However many chunks wait for it: only their bytes are bounded, and the other stage gets its own at once."""
    make_topics(stack.bootstrap_servers, topic_prefix)
    with _worker(stack, topic_prefix, tmp_path, "a", str(BUFFER_BYTES)) as url:
        eventually(lambda: _lag(url) == 0, 60, "no lag where there are no records")
        (tmp_path / HANG).write_text(EVENTS)
        write(stack.bootstrap_servers, f"{topic_prefix}{EVENTS}", _events(range(MANY)))
        eventually(lambda: _lag(url) == MANY, 60, "a lag of all that came")
        write(stack.bootstrap_servers, f"{topic_prefix}{CONVERSATIONS}", _events(range(40)))
        eventually(lambda: len(_places(url, "newest_record_us", CONVERSATIONS)) == PARTITIONS, 30, "the other's work")
        assert _lag(url) == MANY


@pytest.mark.timeout(240)
def test_lost_partitions_leave_no_gauge(stack: Stack, topic_prefix: str, tmp_path: Path) -> None:
    """Two workers share: each partition stands in one of them, under the topic's name without its prefix."""
    make_topics(stack.bootstrap_servers, topic_prefix)
    with _worker(stack, topic_prefix, tmp_path / "a", "a") as first:
        write(stack.bootstrap_servers, f"{topic_prefix}{EVENTS}", _events(range(40)))
        eventually(lambda: len(_places(first, "freshness_seconds")) == PARTITIONS, 60, "gauges of every partition")
        assert _places(first, "held_bytes") == _places(first, "newest_record_us") == set(range(PARTITIONS))
        with _worker(stack, topic_prefix, tmp_path / "b", "b") as second:
            eventually(lambda: len(_places(first, "lag_records")) == PARTITIONS // 2, 60, "half of the lags")
            write(stack.bootstrap_servers, f"{topic_prefix}{EVENTS}", _events(range(40)))
            eventually(lambda: len(_places(second, "held_bytes")) == PARTITIONS // 2, 60, "the other half")
            assert _places(first, "lag_records").isdisjoint(_places(second, "lag_records"))
            for url in (first, second):
                mine = _places(url, "lag_records")
                assert all(topic in {EVENTS, CONVERSATIONS} for _, topic, _ in _figures(url))
                assert {number for _, topic, number in _figures(url) if topic == EVENTS} == mine


def _places(url: str, gauge: str, of: str = EVENTS) -> set[int]:
    """The partitions of a topic that this gauge stands for."""
    return {number for name, topic, number in _figures(url) if (name, topic) == (gauge, of)}
