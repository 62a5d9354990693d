"""What a process says of itself: that it moves, that it can work, and its figures."""

from __future__ import annotations

import threading

import httpx
import pytest

from sinks.metrics import PrometheusMetrics
from still.embedded.ports import LOOPBACK
from still.errors import UserError
from still.health import Health, Pulse, assigned, served
from tests.streams.log import eventually


def _silent_for(seconds: float) -> Pulse:
    times = iter([0.0, *[seconds] * 9])
    return Pulse(5.0, lambda: next(times))


def test_process_that_moves_is_alive() -> None:
    """A beat starts the silence anew, and a silence that is allowed is no trouble."""
    now = [0.0]
    pulse = Pulse(5.0, lambda: now[0])
    now[0] = 7.0
    pulse.beat()
    now[0] = 12.0
    status, told = Health("sink", pulse, {}).alive()
    assert (status, told) == (200, {"process": "sink", "alive": True, "silence_s": 5.0})


def test_process_that_stands_still_is_not() -> None:
    """The answer says how long it has stood, and how long it may."""
    status, told = Health("sink", _silent_for(5.1), {}).alive()
    assert status == 503
    assert told["reason"] == "the main loop has not moved for 5.1 s, 5 s are allowed"


def test_each_missing_thing_has_its_reason() -> None:
    """What is there is not named; what is not is named with what it said."""
    ready = threading.Event()
    health = Health("worker", Pulse(5), {"assignment": assigned(ready), "broker": lambda: None})
    assert health.ready() == (
        503,
        {"process": "worker", "ready": False, "reasons": {"assignment": "no partitions are assigned"}},
    )
    ready.set()
    assert health.ready() == (200, {"process": "worker", "ready": True, "reasons": {}})


def test_check_that_hangs_is_a_reason_and_is_not_asked_twice() -> None:
    """The probe is answered while the check still waits; the next one waits for the same asking, and hears its end."""
    answered, asked = threading.Event(), list[str]()

    def hang() -> None:
        asked.append("again")
        assert answered.wait(60)

    health = Health("sink", Pulse(5), {"clickhouse": hang, "broker": lambda: "it is away"})
    late = {"clickhouse": "clickhouse does not answer within 2 s", "broker": "it is away"}
    for _ in range(2):
        status, told = health.ready()
        assert (status, told["reasons"], answered.is_set()) == (503, late, False)
    assert asked == ["again"]
    answered.set()
    eventually(lambda: health.ready()[1]["reasons"] == {"broker": "it is away"}, 30, "a check that answers again")


def test_paths_answer_over_http() -> None:
    """Liveness, readiness and metrics each have a path; any other names them."""
    health = Health("sink", Pulse(60), {"clickhouse": lambda: "it is away"})
    PrometheusMetrics(health.registry).set("lag_records", 7, topic="examples", partition=2)
    with served(health, LOOPBACK, 0) as url:
        assert httpx.get(f"{url}/healthz").status_code == 200
        answer = httpx.get(f"{url}/readyz?verbose=1")
        assert (answer.status_code, answer.json()["reasons"]) == (503, {"clickhouse": "it is away"})
        text = httpx.get(f"{url}/metrics").text
        assert 'still_sink_lag_records{partition="2",topic="examples"} 7.0' in text
        assert "process_start_time_seconds" in text
        assert httpx.get(f"{url}/").json() == {"paths": ["/metrics", "/healthz", "/readyz"]}


def test_taken_port_is_named() -> None:
    """Two processes on one port are a user's mistake, told in one line."""
    with served(Health("a", Pulse(1), {}), LOOPBACK, 0) as url:
        port = int(str(url).rpartition(":")[2])
        with pytest.raises(UserError, match=f"STILL_HEALTH_PORT={port} on '127.0.0.1' cannot be used"):
            served(Health("b", Pulse(1), {}), LOOPBACK, port).__enter__()


def test_nothing_is_served_without_a_port() -> None:
    """Unset means off."""
    with served(Health("a", Pulse(1), {}), LOOPBACK, None) as url:
        assert url is None
