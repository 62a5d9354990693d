"""Binds this process to the numbers of the Schema Registry that the settings name; without one the fixed ones stay."""

from __future__ import annotations

import threading

from schemas import schema_registry, wire
from schemas.errors import RegistryAway, RegistryRefuses
from schemas.schema_registry import SchemaRegistry
from still.errors import UserError
from still.settings import Settings

START_S = 30.0
PATIENCE_S = 60.0
"""How long a record waits for a registry that is away; then the process ends, and the record is there for the next."""


def registry_of(settings: Settings) -> SchemaRegistry | None:
    """The registry, or None where none is configured.

    Raises:
        UserError: its address is none.
    """
    url = settings.schema_registry
    if not url:
        return None
    if not url.startswith(("http://", "https://")):
        raise UserError(f"STILL_SCHEMA_REGISTRY={url!r} is no http(s) address; give e.g. http://127.0.0.1:8081")
    password = settings.schema_registry_password.get_secret_value()
    return SchemaRegistry(url, settings.schema_registry_user, password, settings.schema_registry_ca)


def register(settings: Settings) -> int:
    """Register all schemas and write by their numbers; how many there are.

    Raises:
        UserError: the registry refuses or stays away.
    """
    return _bind(settings, schema_registry.register)


def bind(settings: Settings, stop: threading.Event | None = None) -> int:
    """Look all numbers up and write by them; nothing is registered. `stop` ends a wait for the registry.

    Raises:
        UserError: the registry lacks a schema or stays away.
    """
    return _bind(settings, schema_registry.look_up, stop)


def _bind(settings: Settings, find: schema_registry.Find, stop: threading.Event | None = None) -> int:
    registry = registry_of(settings)
    if registry is None:
        return 0
    stopping = stop or threading.Event()
    try:
        ids = schema_registry.patiently(lambda: find(registry, settings.topic_prefix), START_S, stopping)
    except (RegistryAway, RegistryRefuses) as error:
        raise UserError(f"{error}; mend STILL_SCHEMA_REGISTRY, or unset it") from None
    wire.bind(schema_registry.wire_of(registry, ids, PATIENCE_S, stopping))
    return sum(map(len, ids.values()))
