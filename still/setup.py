"""What must be there before a process starts: topics, tables, and the model events that the broker may have lost."""

from __future__ import annotations

from dataclasses import dataclass

from sinks.clickhouse.ddl import statements
from sinks.errors import SinkError
from still import kafka, schema_ids, wiring
from still.errors import UserError
from still.settings import Settings
from streams.errors import StreamError
from streams.topics import ensure_topics


@dataclass(frozen=True, slots=True)
class Prepared:
    """What `prepare` made: new topics, executed table statements, re-announced model events, registered schemas."""

    topics: tuple[str, ...]
    statements: int
    restored: int
    schemas: int


def prepare(settings: Settings) -> Prepared:
    """Make topics and tables, and announce again every model event of the registry that the broker lacks; idempotent.

    Raises:
        UserError: broker, ClickHouse or registry is not there, or is not as it must be.
    """
    try:
        kafka.reach(settings)
        schemas = schema_ids.register(settings)
        topics = ensure_topics(kafka.admin(settings), settings.topic_prefix, settings.partitions, settings.replication)
        made = _make_tables(settings)
        restored = wiring.registry(settings).restore(wiring.announcer(settings))
    except (StreamError, SinkError) as error:
        raise UserError(str(error)) from None
    return Prepared(tuple(topics), made, restored, schemas)


def _make_tables(settings: Settings) -> int:
    client = wiring.clickhouse(settings, wait_s=10.0)
    wanted = list(statements(wiring.table_settings(settings)))
    for statement in wanted:
        client.command(statement)
    client.close()
    return len(wanted)
