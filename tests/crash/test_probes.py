"""A neighbour that stands still takes connections and answers none: a probe says so at once, and waits no longer."""

from __future__ import annotations

import time
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest

from still.embedded.ports import LOOPBACK, choose_port
from still.embedded.stack import EmbeddedStack
from still.settings import Settings
from still.watch import Watch
from tests.crash.commands import Place
from tests.crash.started import standing_still
from tests.streams.log import eventually

PREFIX = "probed."
AT_ONCE_S = 10.0
"""Two seconds, and what a loaded machine takes; an answer of ClickHouse would be waited for a minute."""


@pytest.mark.timeout(240)
def test_worker_and_sink_say_who_stands_still(
    running: EmbeddedStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each names the one that does not answer, at once, and is ready again when it goes on."""
    place = Place(running.stack.bootstrap_servers, PREFIX, running.stack.clickhouse_url, "probed", tmp_path)
    place.prepare(monkeypatch)
    ports = {name: choose_port(0) for name in ("worker", "sink")}
    serve = {name: {"STILL_HEALTH_PORT": str(port)} for name, port in ports.items()}
    urls = {name: f"http://{LOOPBACK}:{port}/readyz" for name, port in ports.items()}
    with place.running("sink", serve["sink"]), place.running("worker", serve["worker"]):
        with standing_still(running, "clickhouse"):
            (reason,) = _reasons(urls["sink"]).values()
            assert "does not answer within 2 s" in reason
            assert _reasons(urls["worker"]) == {}
        with standing_still(running, "broker"):
            for url in urls.values():
                assert "answer" in _reasons(url)["broker"]
        for url in urls.values():
            eventually(partial(_is_ready, url), 60, f"ready again: {url}")


def test_up_says_which_child_stands_still(running: EmbeddedStack) -> None:
    """To its supervisor a child that stands still is a process like any other: readiness asks it."""
    stack = running.stack
    settings = Settings(bootstrap_servers=stack.bootstrap_servers, clickhouse_url=stack.clickhouse_url)
    health = Watch(running, lambda: settings, lambda _: None).health()
    assert health.ready()[1]["reasons"] == {}
    with standing_still(running, "clickhouse"), standing_still(running, "broker"):
        began = time.monotonic()
        status, told = health.ready()
        assert time.monotonic() - began < AT_ONCE_S
        assert status == HTTPStatus.SERVICE_UNAVAILABLE
        assert set(told["reasons"]) == {"broker", "clickhouse"}


def _is_ready(url: str) -> bool:
    return not _reasons(url)


def _reasons(url: str) -> dict[str, Any]:
    """What a probe is told, in time."""
    answer = httpx.get(url, timeout=AT_ONCE_S)
    told: dict[str, Any] = answer.json()
    assert answer.status_code == (HTTPStatus.SERVICE_UNAVAILABLE if told["reasons"] else HTTPStatus.OK)
    return dict(told["reasons"])
