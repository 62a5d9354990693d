"""What a long process says of itself over HTTP: `/metrics`, `/healthz` (it moves), `/readyz` (it can do its work).

Answers are small JSON objects, 200 or 503, made when they are asked for; a request never waits for the main loop, and
for a neighbour that stands still only PROBE_S.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest

from still.errors import UserError

log = structlog.get_logger(__name__)

Check = Callable[[], str | None]
"""What keeps a process from its work now; None = nothing."""

PROBE_S = 2.0
"""How long a probe waits for all checks together: who probes has patience of some seconds, and wants the reason."""
_SLOW_CLIENT_S = 10.0


class Pulse:
    """Remembers when the main loop last moved; any thread may beat and ask."""

    def __init__(self, longest_silence_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.longest_silence_s = longest_silence_s
        self._clock = clock
        self._last_s = clock()

    def beat(self) -> None:
        """The main loop moved."""
        self._last_s = self._clock()

    @property
    def silence_s(self) -> float:
        """Seconds since it moved."""
        return self._clock() - self._last_s


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)  # its start time tells restarts apart, where nobody counts them
    return registry


class _Asked(threading.Thread):
    """A check under way; it keeps no process alive."""

    def __init__(self, name: str, check: Check) -> None:
        super().__init__(name=f"check-{name}", daemon=True)
        self._check = check
        self._late = f"{name} does not answer within {PROBE_S:g} s"
        self._reasons: list[str | None] = []
        self.start()

    def run(self) -> None:
        """Ask once."""
        self._reasons.append(self._check())

    def reason(self, wait_s: float) -> str | None:
        """What the check says within this time; that it says nothing is a reason too."""
        self.join(wait_s)
        return self._reasons[0] if self._reasons else self._late


@dataclass(frozen=True, slots=True)
class Health:
    """One process: its pulse, what it needs for its work, and its figures."""

    name: str
    pulse: Pulse
    checks: Mapping[str, Check]
    registry: CollectorRegistry = field(default_factory=_registry)
    _asked: dict[str, _Asked] = field(default_factory=dict, init=False, repr=False)
    _asking: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def alive(self) -> tuple[HTTPStatus, dict[str, Any]]:
        """Whether the main loop moved lately."""
        silence_s = round(self.pulse.silence_s, 1)
        if silence_s <= self.pulse.longest_silence_s:
            return HTTPStatus.OK, {"process": self.name, "alive": True, "silence_s": silence_s}
        reason = f"the main loop has not moved for {silence_s} s, {self.pulse.longest_silence_s:g} s are allowed"
        return HTTPStatus.SERVICE_UNAVAILABLE, {"process": self.name, "alive": False, "reason": reason}

    def ready(self) -> tuple[HTTPStatus, dict[str, Any]]:
        """Whether everything that its work needs is there; a reason for each thing that is not, within PROBE_S."""
        deadline = time.monotonic() + PROBE_S
        asked = [(name, self._ask(name)) for name in self.checks]
        told = {name: one.reason(max(0.0, deadline - time.monotonic())) for name, one in asked}
        reasons = {name: reason for name, reason in told.items() if reason is not None}
        status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
        return status, {"process": self.name, "ready": not reasons, "reasons": reasons}

    def _ask(self, name: str) -> _Asked:
        """A check that an earlier probe left without an answer is not asked again beside it: threads do not pile up."""
        with self._asking:
            asked = self._asked.get(name)
            if asked is None or not asked.is_alive():
                asked = self._asked[name] = _Asked(name, self.checks[name])
            return asked


def assigned(ready: threading.Event) -> Check:
    """A check that the process has partitions."""
    return lambda: None if ready.is_set() else "no partitions are assigned"


@contextmanager
def served(health: Health, host: str, port: int | None) -> Iterator[str | None]:
    """Serve while the context lasts; gives the URL. Without a port nothing is served.

    Raises:
        UserError: the port cannot be had.
    """
    if port is None:
        yield None
        return
    try:
        server = _Server((host, port), _handler(health))
    except (OSError, OverflowError) as error:
        raise UserError(f"STILL_HEALTH_PORT={port} on {host!r} cannot be used: {error}; choose another") from None
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    try:
        yield f"http://{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


def _handler(health: Health) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _SLOW_CLIENT_S

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                self._answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(health.registry))
            elif path == "/healthz":
                self._tell(*health.alive())
            elif path == "/readyz":
                self._tell(*health.ready())
            else:
                self._tell(HTTPStatus.NOT_FOUND, {"paths": ["/metrics", "/healthz", "/readyz"]})

        def _tell(self, status: HTTPStatus, told: dict[str, Any]) -> None:
            self._answer(status, "application/json", orjson.dumps(told))

        def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name upstream
            log.debug("health_asked", what=format % args)

    return Handler
