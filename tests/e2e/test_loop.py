"""The loop through its real processes: broker, worker, sink and ClickHouse as children, as `still up` starts them."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from still import wiring
from still.commands.status import groups
from still.commands.up import start_processes
from still.demo import traffic
from still.embedded.stack import Ports, embedded_stack
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


def test_processes_find_each_other(settings: Settings, tmp_path: Path) -> None:
    """Settings follow the running stack of their folder, and of no other."""
    assert load(folder=settings.folder).bootstrap_servers == settings.bootstrap_servers
    assert os.environ.get("STILL_FOLDER") != str(tmp_path)
    assert load(folder=tmp_path).bootstrap_servers != settings.bootstrap_servers
