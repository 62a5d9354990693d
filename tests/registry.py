"""A Schema Registry on loopback for tests: the part of its interface that we use, with Avro's own compatibility rules.

Numbers begin at 1 and are shared by equal schemas, as in a real one. It can be switched off and on, and asks for a
login where one is given.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import avro.schema
import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType

from still.embedded.ports import LOOPBACK

Answer = tuple[int, dict[str, Any]]


class Registry:
    """What it holds; the server's threads share it."""

    def __init__(self, login: str | None = None) -> None:
        self.schemas: list[str] = []
        self.subjects: dict[str, list[int]] = {}
        self.rules: dict[str, str] = {}
        self.calls: list[str] = []
        self.login = login
        self.is_away = False
        self.url = ""
        self._lock = threading.Lock()

    def answer(self, method: str, path: str, body: dict[str, Any], login: str | None) -> Answer:
        """One request's status and body."""
        with self._lock:
            self.calls.append(f"{method} {path}")
            if self.is_away:
                return 503, {"error_code": 503, "message": "away"}
            if self.login is not None and login != self.login:
                return 401, {"error_code": 401, "message": "Unauthorized"}
            for pattern, handle in _ROUTES.items():
                if match := re.fullmatch(pattern, f"{method} {path}"):
                    found: Answer = handle(self, *match.groups(), body)
                    return found
            return 404, {"error_code": 404, "message": "no such path"}

    def register(self, subject: str, body: dict[str, Any]) -> Answer:
        """A new version, if it reads all that came before."""
        text = _canonical(body["schema"])
        if faults := self._faults(subject, text):
            return 409, {"error_code": 409, "message": f"Incompatible schema, compatibility_mode=..., {faults}"}
        if text not in self.schemas:
            self.schemas.append(text)
        id_ = self.schemas.index(text) + 1
        if id_ not in self.subjects.setdefault(subject, []):
            self.subjects[subject].append(id_)
        return 200, {"id": id_}

    def look_up(self, subject: str, body: dict[str, Any]) -> Answer:
        """The number of a schema that is there."""
        if subject not in self.subjects:
            return 404, {"error_code": 40401, "message": f"Subject '{subject}' not found."}
        text = _canonical(body["schema"])
        ids = [id_ for id_ in self.subjects[subject] if self.schemas[id_ - 1] == text]
        if not ids:
            return 404, {"error_code": 40403, "message": "Schema not found"}
        return 200, {"subject": subject, "id": ids[0], "version": self.subjects[subject].index(ids[0]) + 1}

    def schema(self, id_: str, _: dict[str, Any]) -> Answer:
        """The schema of a number."""
        if not 1 <= int(id_) <= len(self.schemas):
            return 404, {"error_code": 40403, "message": "Schema not found"}
        return 200, {"schema": self.schemas[int(id_) - 1]}

    def set_rule(self, subject: str, body: dict[str, Any]) -> Answer:
        """How a subject's versions must fit each other."""
        self.rules[subject] = body["compatibility"]
        return 200, {"compatibility": body["compatibility"]}

    def _faults(self, subject: str, text: str) -> list[str]:
        reader = avro.schema.parse(text)
        before = [self.schemas[id_ - 1] for id_ in self.subjects.get(subject, [])]
        compared = before if self.rules.get(subject, "BACKWARD").endswith("_TRANSITIVE") else before[-1:]
        check: Any = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
        results = [check.get_compatibility(reader, avro.schema.parse(writer)) for writer in compared]
        return [str(r.messages) for r in results if r.compatibility is not SchemaCompatibilityType.compatible]


_ROUTES: dict[str, Any] = {
    "POST /subjects/([^/]+)/versions": Registry.register,
    "POST /subjects/([^/]+)": Registry.look_up,
    r"GET /schemas/ids/(\d+)": Registry.schema,
    "PUT /config/([^/]+)": Registry.set_rule,
}


def _canonical(text: str) -> str:
    return json.dumps(json.loads(text), sort_keys=True)


@contextmanager
def running_registry(login: tuple[str, str] | None = None) -> Iterator[Registry]:
    """A registry that answers until the context ends."""
    wanted = None if login is None else "Basic " + base64.b64encode(":".join(login).encode()).decode()
    registry = Registry(wanted)

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            given = json.loads(body) if body else {}
            status, answer = registry.answer(self.command, self.path, given, self.headers.get("Authorization"))
            written = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
            self.send_header("Content-Length", str(len(written)))
            self.end_headers()
            self.wfile.write(written)

        do_GET = do_POST = do_PUT = _handle  # noqa: N815 - the base class's names

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer((LOOPBACK, 0), Handler) as server:
        registry.url = f"http://{LOOPBACK}:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield registry
        finally:
            server.shutdown()


@pytest.fixture(name="registry")
def _registry() -> Iterator[Registry]:
    """An empty registry of this test alone."""
    with running_registry() as registry:
        yield registry
