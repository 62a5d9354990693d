"""The loop through its real processes: broker, worker, sink and ClickHouse as children, as `still up` starts them."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from still import wiring
from still.commands.status import groups
from still.commands.up import start_processes
from still.demo import traffic
from still.embedded.stack import Ports, embedded_stack, read_children
from still.lag import lags
from still.settings import Settings, load

CONTACTS = 40


@pytest.fixture(scope="module", name="settings")
def _settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    folder = tmp_path_factory.mktemp("loop")
    with embedded_stack(folder, Ports(broker=0, clickhouse=0)) as running:
        start_processes(running, folder, ("sink", "worker"), {"STILL_INACTIVITY_SECONDS": "3"})
        yield load(folder=folder)


def _published(settings: Settings) -> set[str]:
    wanted = traffic.publish_traffic(settings, CONTACTS, lambda _: None)
    traffic.await_landed(wiring.clickhouse(settings), wanted, lambda _: None)
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


def test_processes_find_each_other(settings: Settings, tmp_path: Path) -> None:
    """Settings follow the running stack of their folder, and of no other."""
    assert load(folder=settings.folder).bootstrap_servers == settings.bootstrap_servers
    assert os.environ.get("STILL_FOLDER") != str(tmp_path)
    assert load(folder=tmp_path).bootstrap_servers != settings.bootstrap_servers
