"""The composition root: builds the concrete parts from settings; everybody else receives them as arguments."""

from __future__ import annotations

from sinks.clickhouse.client import Client, connect
from sinks.clickhouse.settings import TableSettings
from sinks.model_events import KafkaAnnouncer
from sinks.registry import Registry, open_registry
from still.settings import Settings


def clickhouse(settings: Settings, *, wait_s: float = 0.0) -> Client:
    """The ClickHouse that the settings name; raises what `connect` raises."""
    password = settings.clickhouse_password.get_secret_value()
    user = settings.clickhouse_user
    return connect(settings.clickhouse_url, settings.database, user=user, password=password, wait_s=wait_s)


def table_settings(settings: Settings) -> TableSettings:
    """How tables are made."""
    return TableSettings(database=settings.database)


def registry(settings: Settings) -> Registry:
    """The adapter registry."""
    return open_registry(settings.registry_uri)


def announcer(settings: Settings, timeout_s: float = 30.0) -> KafkaAnnouncer:
    """Where model events are announced; `timeout_s` bounds the wait for a broker that is away."""
    return KafkaAnnouncer(settings.bootstrap_servers, f"{settings.topic_prefix}model.events", timeout_s)
