"""The loop through its real processes: broker, worker, sink and ClickHouse as children, as `still up` starts them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import orjson
import pytest
from confluent_kafka import Producer

from still import wiring
from still.commands.up import start_processes
from still.demo import traffic
from still.embedded.stack import Ports, embedded_stack, read_children
from still.labels import Overrides, import_labels
from still.lag import groups, lags
from still.settings import Settings, load
from still.training import pool_of
from tests.trainers.made import LOOP
from trainers.batches import Policy
from trainers.compose import compose

CONTACTS = 40
BENCHMARK = Overrides(label_set=None, split="benchmark")


@pytest.fixture(scope="module", name="settings")
def _settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    folder = tmp_path_factory.mktemp("loop")
    with embedded_stack(folder, Ports(broker=0, clickhouse=0)) as running:
        start_processes(running, folder, ("sink", "worker"), {"STILL_INACTIVITY_SECONDS": "3"})
        yield load(folder=folder)


def _published(settings: Settings) -> set[str]:
    wanted = traffic.publish_traffic(settings, CONTACTS, lambda _: None)
    traffic.await_landed(wiring.clickhouse(settings), wanted, lambda _: None)
    # Scores may land before the examples that were written with them.
    _settled(settings)
    return wanted


def _settled(settings: Settings) -> None:
    """Return when worker and sink have read everything that there is."""
    deadline = time.monotonic() + 60
    while any(lag.behind != 0 for lag in lags(settings.bootstrap_servers, groups(settings)) if lag.end):
        assert time.monotonic() < deadline, "worker or sink did not catch up"


@pytest.mark.timeout(180)
def test_every_contact_lands_once_with_examples_of_every_task(settings: Settings) -> None:
    """Each simulated contact is one newest conversation in ClickHouse, and all five tasks get examples from them."""
    wanted = _published(settings)
    client = wiring.clickhouse(settings)
    found = [
        row["conversation_id"] for row in client.rows("SELECT conversation_id FROM stillstream.newest_conversations")
    ]
    assert len(found) == len(set(found))
    assert wanted == set(found)
    tasks = {row["task"] for row in client.rows("SELECT DISTINCT task FROM stillstream.current_examples")}
    assert tasks == {"intent", "entities", "response", "tools", "safety"}


@pytest.mark.timeout(180)
def test_publishing_again_changes_nothing(settings: Settings) -> None:
    """The same events a second time add no conversation and no example."""
    _published(settings)
    client = wiring.clickhouse(settings)
    counts = "SELECT count(), uniqExact(conversation_id) FROM stillstream.newest_conversations"
    _settled(settings)
    before = client.rows(counts)
    _published(settings)
    _settled(settings)
    assert client.rows(counts) == before


def _figures(url: str) -> dict[str, float]:
    lines = httpx.get(f"{url}/metrics", timeout=30).text.splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"}


def _named(figures: dict[str, float], name: str) -> list[float]:
    return [value for key, value in figures.items() if key.startswith(name)]


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("name", "counted"), [("worker", "still_worker_records_consumed_total"), ("sink", "still_sink_rows_landed_total")]
)
def test_process_tells_its_health(settings: Settings, name: str, counted: str) -> None:
    """It is alive and ready; its figures say that it worked, how fresh that was, and in the end that nothing waits."""
    _published(settings)
    url = str(read_children(settings.folder)[name].health_url)
    assert httpx.get(f"{url}/healthz", timeout=30).json()["alive"]
    assert httpx.get(f"{url}/readyz", timeout=30).json() == {"process": name, "ready": True, "reasons": {}}
    deadline = time.monotonic() + 60
    while any(_named(_figures(url), f"still_{name}_lag_records")):
        assert time.monotonic() < deadline, "the figures never say that it caught up"
        time.sleep(0.2)
    figures = _figures(url)
    assert sum(_named(figures, counted)) >= CONTACTS
    fresh = _named(figures, f"still_{name}_freshness_seconds")
    assert fresh
    assert all(0 <= value < 120 for value in fresh)


def _status(settings: Settings, *options: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "still", "status", "--json", *options]
    here = {**os.environ, "STILL_FOLDER": str(settings.folder)}
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=here)


@pytest.mark.timeout(300)
def test_status_tells_all_of_it(settings: Settings) -> None:
    """Restarts, lag, rows, freshness of what landed lately, and dead letters by stage and reason, as one object."""
    _published(settings)
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers})
    producer.produce("conversation.events", b"no event", key="junk")
    assert producer.flush(60) == 0
    client, deadline = wiring.clickhouse(settings), time.monotonic() + 120
    while not client.rows("SELECT 1 FROM stillstream.dead_letters LIMIT 1"):
        assert time.monotonic() < deadline, "the dead letter did not land"
        time.sleep(0.2)
    _settled(settings)
    with _status(settings) as process:
        found = orjson.loads(process.communicate(timeout=120)[0])
    assert process.returncode == 0
    assert {name: child["restarts"] for name, child in found["processes"].items()} == {
        "broker": 0, "clickhouse": 0, "sink": 0, "worker": 0,
    }  # fmt: skip
    assert {lag["behind"] for lag in found["lag"] if lag["end"]} == {0}
    assert found["rows"]["conversations"] >= CONTACTS
    fresh = found["freshness"]["conversations"]
    assert fresh["rows"] >= CONTACTS
    assert 0 <= fresh["median_s"] <= fresh["p99_s"] < 300
    assert found["freshness"]["model_events"] == {"rows": 0, "median_s": None, "p99_s": None, "newest_at": None}
    assert {(letter["stage"], letter["reason"]) for letter in found["dead_letters"]} == {("assemble", "undecodable")}


@pytest.mark.timeout(300)
def test_status_follows_until_it_is_stopped(settings: Settings) -> None:
    """A line of JSON for each look, each later than the one before; Ctrl-C ends it with status 0."""
    with _status(settings, "--follow") as process:
        assert process.stdout is not None
        looks = [orjson.loads(process.stdout.readline()) for _ in range(3)]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert looks[0]["at"] < looks[1]["at"] < looks[2]["at"]
    assert all(look["rows"] for look in looks)


@pytest.mark.timeout(180)
def test_a_file_of_the_benchmark_teaches_nothing(settings: Settings, tmp_path: Path) -> None:
    """Training on a file asks the store: lines imported as benchmark are left out, by redacted words and customers."""
    told = [f"I am client{number}@example.org, where is parcel {chr(97 + number)}?" for number in range(20)]
    lines = [{"task": "intent", "text": text, "target": "track", "customer_id": text[5:12]} for text in told]
    file, more = tmp_path / "held.jsonl", tmp_path / "held_and_more.jsonl"
    file.write_bytes(b"\n".join(map(orjson.dumps, lines)))
    free = {"task": "intent", "text": "nobody ever said this", "target": "other", "id": "free", "split": "train"}
    trained = [line | {"label_set": "held", "split": "train"} for line in lines]
    more.write_bytes(b"\n".join(map(orjson.dumps, [*trained, free | {"label_set": "held"}])))
    assert [audit.faults for audit in import_labels([file], settings, "jsonl", BENCHMARK, dry_run=False)] == [[]]
    _settled(settings)
    track = replace(LOOP, label_set="held")
    pool = pool_of(more, more, track, settings)
    assert pool.query["benchmark_of_store"] == "checked 20 items"
    batch = compose(pool, Policy(task="intent", label_set="held", max_items=99, replay_share=0.0, seed=1))
    assert [item.id for item in batch.items] == ["free"]


def test_processes_find_each_other(settings: Settings, tmp_path: Path) -> None:
    """Settings follow the running stack of their folder, and of no other."""
    assert load(folder=settings.folder).bootstrap_servers == settings.bootstrap_servers
    assert os.environ.get("STILL_FOLDER") != str(tmp_path)
    assert load(folder=tmp_path).bootstrap_servers != settings.bootstrap_servers
