"""What must be there before a process starts: topics, tables, and the model events that the broker may have lost."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from sinks.clickhouse.migrate import Applied, migrate, planned
from sinks.errors import SinkError
from still import kafka, schema_ids, wiring
from still.errors import UserError
from still.settings import Settings
from streams.errors import StreamError
from streams.topics import ensure_topics

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What `prepare` did.

    Attributes:
        topics: made now.
        statements: executed in ClickHouse, views included.
        migrations: how many of them by migration; empty = the database was up to date.
        restored: model events announced again.
        remade: tables that had been dropped and are empty now.
        schemas: versions that the Schema Registry holds; 0 = none is configured.
    """

    topics: tuple[str, ...]
    statements: int
    migrations: dict[str, int]
    restored: int
    schemas: int
    remade: tuple[str, ...] = ()


def prepare(settings: Settings, *, remake: bool = False) -> Prepared:
    """Make topics and tables, and announce again every model event of the registry that the broker lacks; idempotent.

    `remake` makes dropped tables again and lets the ledger forget them; sinks are restarted after that.

    Raises:
        UserError: broker, ClickHouse or registry is not there, or is not as it must be.
    """
    try:
        kafka.reach(settings)
        schemas = schema_ids.register(settings)
        topics = ensure_topics(kafka.admin(settings), settings.topic_prefix, settings.partitions, settings.replication)
        made = _make_tables(settings, remake=remake)
        restored = wiring.registry(settings).restore(wiring.announcer(settings))
    except (StreamError, SinkError) as error:
        raise UserError(str(error)) from None
    return Prepared(tuple(topics), made.statements, made.migrations, restored, schemas, made.remade)


def plan(settings: Settings) -> list[str]:
    """The statements that `prepare` would execute now; nothing is changed.

    Raises:
        UserError: ClickHouse is not there, or is not as it must be.
    """
    try:
        client = wiring.clickhouse(settings, wait_s=10.0)
        wanted = list(planned(client, wiring.table_settings(settings)))
        client.close()
    except SinkError as error:
        raise UserError(str(error)) from None
    return wanted


def _make_tables(settings: Settings, *, remake: bool) -> Applied:
    client = wiring.clickhouse(settings, wait_s=10.0)
    applied = migrate(client, wiring.table_settings(settings), remake=remake)
    client.close()
    if applied.remade:
        log.warning(
            "tables_remade",
            tables=applied.remade,
            help="empty; restart the sinks: Kafka's records land again",
        )
    return applied
