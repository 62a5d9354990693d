"""The composition root: builds the concrete parts from settings; everybody else receives them as arguments."""

from __future__ import annotations

from sinks.clickhouse.client import ANSWER_S, Client, Login, connect
from sinks.clickhouse.settings import TableSettings
from sinks.errors import BrokerUnavailable, SinkError, Temporary
from sinks.model_events import KafkaAnnouncer
from sinks.registry import Registry, open_registry
from still import schema_ids
from still.security import kafka_options
from still.settings import Settings, unaddressed

_PROBE_S = 2.0


def clickhouse(settings: Settings, *, wait_s: float = 0.0, answer_s: float = ANSWER_S) -> Client:
    """The ClickHouse that the settings name; raises what `connect` raises, `Temporary` where they name none."""
    if not settings.clickhouse_url:
        raise Temporary(unaddressed(settings))
    login = Login(settings.clickhouse_user, settings.clickhouse_password.get_secret_value(), settings.clickhouse_ca)
    return connect(settings.clickhouse_url, settings.database, login=login, wait_s=wait_s, answer_s=answer_s)


def table_settings(settings: Settings) -> TableSettings:
    """How tables are made."""
    return TableSettings(database=settings.database, cluster=settings.clickhouse_cluster or None)


def registry(settings: Settings) -> Registry:
    """The adapter registry."""
    return open_registry(settings.registry_uri)


def announcer(settings: Settings, timeout_s: float = 30.0) -> KafkaAnnouncer:
    """Where model events are announced; `timeout_s` bounds the wait for a broker that is away.

    Raises:
        BrokerUnavailable: the settings name no broker.
    """
    if not settings.bootstrap_servers:
        raise BrokerUnavailable(unaddressed(settings))
    schema_ids.bind(settings)
    topic = f"{settings.topic_prefix}model.events"
    return KafkaAnnouncer(settings.bootstrap_servers, topic, timeout_s, kafka_options(settings))


def clickhouse_trouble(settings: Settings) -> str | None:
    """Why ClickHouse cannot be asked; None = it can."""
    try:
        client = clickhouse(settings, answer_s=_PROBE_S)
        client.rows("SELECT 1")
        client.close()
    except SinkError as error:
        return str(error)
    return None
