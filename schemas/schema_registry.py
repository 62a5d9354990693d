"""A Schema Registry (Karapace, Confluent) over its HTTP interface: the only file of this package that does I/O.

Only what we use: register, look up, read by number, set a subject's rule. Subjects are `<topic>-value`.
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import structlog

from schemas import catalog
from schemas.errors import RegistryAway, RegistryRefuses
from schemas.wire import Wire

log = structlog.get_logger()

ANSWER_S = 5.0
RULE = "BACKWARD_TRANSITIVE"
"""The newest schema reads every older one: what `schemas.compatibility` checks too."""
FORGET_S = 30.0
LONGEST_WAIT_S = 5.0

Ids = dict[str, dict[int, int]]
"""Numbers by record and version."""
Find = Callable[["SchemaRegistry", str], Ids]
"""(registry, topic prefix) -> the numbers: `register` or `look_up`."""

T = TypeVar("T")

_TYPE = "application/vnd.schemaregistry.v1+json"
_INCOMPATIBLE = frozenset({409, 422})


@dataclass(frozen=True, slots=True)
class SchemaRegistry:
    """One registry; `ca` is the PEM file of an https registry's authority, None = the system's."""

    url: str
    user: str = ""
    password: str = field(default="", repr=False)
    ca: Path | None = None

    def register(self, subject: str, schema: dict[str, Any]) -> int:
        """The number of this schema under the subject, new or there already.

        Raises:
            RegistryRefuses: it does not fit the versions before it, or we may not write.
            RegistryAway: no answer.
        """
        answer = self._call("POST", f"/subjects/{quote(subject)}/versions", {"schema": json.dumps(schema)})
        if answer is None:
            raise RegistryRefuses(f"{self.url} knows no way to register under {subject}; is it a Schema Registry?")
        return int(answer["id"])

    def id_of(self, subject: str, schema: dict[str, Any]) -> int | None:
        """The number of this schema under the subject, or None; raises like `register`."""
        answer = self._call("POST", f"/subjects/{quote(subject)}", {"schema": json.dumps(schema)})
        return None if answer is None else int(answer["id"])

    def schema(self, schema_id: int) -> dict[str, Any] | None:
        """The schema under this number, or None; raises like `register`."""
        answer = self._call("GET", f"/schemas/ids/{schema_id}")
        found = None if answer is None else json.loads(answer["schema"])
        return found if isinstance(found, dict) else None

    def set_rule(self, subject: str) -> None:
        """Let the subject accept only what reads all that came before; raises like `register`."""
        self._call("PUT", f"/config/{quote(subject)}", {"compatibility": RULE})

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """The answer; None = 404."""
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked at birth
            self.url.rstrip("/") + path, None if body is None else json.dumps(body).encode(), method=method
        )
        request.add_header("Content-Type", _TYPE)
        request.add_header("Accept", f"{_TYPE}, application/json")
        if self.user:
            login = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            request.add_unredirected_header("Authorization", f"Basic {login}")
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S, context=self._context()) as answer:  # noqa: S310
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            self._raise_unless_absent(error, f"{method} {path}")
            return None
        except (OSError, ValueError) as error:
            why = getattr(error, "reason", None) or error
            if isinstance(why, ssl.SSLCertVerificationError):
                raise RegistryRefuses(f"the certificate of {self.url} is not from an authority that we trust") from None
            raise RegistryAway(f"the Schema Registry at {self.url} does not answer: {why}") from None
        return found

    def _raise_unless_absent(self, error: urllib.error.HTTPError, what: str) -> None:
        """Nothing for 404; else what fails on the other side may pass later, and what is refused may not."""
        with error:
            words = _words(error.read())
        if error.code == 404:
            return
        if error.code >= 500 or error.code == 429:
            raise RegistryAway(f"the Schema Registry at {self.url} fails: {error.code} {words}") from None
        if error.code in _INCOMPATIBLE:
            raise RegistryRefuses(f"the Schema Registry at {self.url} refuses: {words}") from None
        raise RegistryRefuses(f"the Schema Registry at {self.url} answers {error.code} to {what}: {words}") from None

    def _context(self) -> ssl.SSLContext | None:
        if not self.url.startswith("https:"):
            return None
        return ssl.create_default_context(cafile=None if self.ca is None else str(self.ca))


def _words(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body[:200].decode(errors="replace")


class Asking:
    """Asks a registry for numbers that the catalog lacks, and waits for one that is away.

    So no record is ever refused because nobody could be asked.
    """

    def __init__(self, registry: SchemaRegistry, patience_s: float, stop: threading.Event | None = None) -> None:
        self._registry = registry
        self._patience_s = patience_s
        self._stop = stop or threading.Event()
        self._absent: dict[int, float] = {}

    def __call__(self, schema_id: int) -> dict[str, Any] | None:
        """See `wire.Ask`; raises RegistryAway when the patience ends."""
        if time.monotonic() < self._absent.get(schema_id, 0.0):
            return None
        found = patiently(lambda: self._registry.schema(schema_id), self._patience_s, self._stop)
        if found is None:
            # Numbers in damaged bytes are many: remember that they mean nothing, but neither all nor for ever.
            if len(self._absent) > 1000:
                self._absent.clear()
            self._absent[schema_id] = time.monotonic() + FORGET_S
        return found


def patiently(call: Callable[[], T], patience_s: float, stop: threading.Event) -> T:
    """What the call returns, tried again while the registry is away; raises RegistryAway when patience or life ends."""
    deadline, wait_s = time.monotonic() + patience_s, 0.1
    while True:
        try:
            return call()
        except RegistryAway as error:
            if time.monotonic() + wait_s > deadline or stop.wait(wait_s):
                raise
            log.warning("schema_registry_away", reason=str(error), wait_s=wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)


def register(registry: SchemaRegistry, prefix: str) -> Ids:
    """Register every version of every record, oldest first; the numbers by record and version.

    Raises:
        RegistryRefuses: a version does not fit; says which.
        RegistryAway: no answer.
    """
    ids: Ids = {}
    for topic in catalog.topics().values():
        subject = subject_of(topic.name, prefix)
        registry.set_rule(subject)
        ids[topic.record] = {
            version: _registered(registry, subject, topic.record, version) for version in sorted(topic.versions)
        }
    return ids


def _registered(registry: SchemaRegistry, subject: str, record: str, version: int) -> int:
    try:
        return registry.register(subject, catalog.raw_schema(record, version))
    except RegistryRefuses as error:
        raise RegistryRefuses(
            f"{record} v{version} cannot be registered under {subject}: {error}; a newer version"
            " may only add fields with a default"
        ) from None


def look_up(registry: SchemaRegistry, prefix: str) -> Ids:
    """The numbers of every version of every record; nothing is registered.

    Raises:
        RegistryRefuses: one is not there.
        RegistryAway: no answer.
    """
    ids: Ids = {}
    for topic in catalog.topics().values():
        subject = subject_of(topic.name, prefix)
        found = {
            version: registry.id_of(subject, catalog.raw_schema(topic.record, version)) for version in topic.versions
        }
        if missing := sorted(version for version, id_ in found.items() if id_ is None):
            raise RegistryRefuses(
                f"{topic.record} v{missing[0]} is not registered under {subject} at {registry.url};"
                " run `still init` of this version"
            )
        ids[topic.record] = {version: id_ for version, id_ in found.items() if id_ is not None}
    return ids


def subject_of(topic: str, prefix: str) -> str:
    """The subject of a topic's values."""
    return f"{prefix}{topic}-value"


def wire_of(registry: SchemaRegistry, ids: Ids, patience_s: float, stop: threading.Event) -> Wire:
    """The numbers of a process that asks this registry for all others."""
    return Wire(ids, Asking(registry, patience_s, stop))
