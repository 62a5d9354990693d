"""Tables that a migration made and that are gone: named, and made again where that is asked for.

A table made again is empty while the ledger still says how far it had landed, so the ledger forgets the table's topic
first: an assignment then begins where Kafka begins, and what Kafka still holds lands again. Leases go too, so that a
sink that was overlooked cannot write on behind rows that are missing. With `sink_source_marks` the whole ledger goes:
without them nothing but reading all rows again tells a repeat from news.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence

from sinks.clickhouse.client import Client
from sinks.clickhouse.ledger import LEASES, MARKS, SOURCE_MARKS
from sinks.clickhouse.migrations import migrations
from sinks.clickhouse.settings import TableSettings
from sinks.errors import Misconfigured
from sinks.tables import tables

_OBJECT = re.compile(r"(?:CREATE (?:TABLE|DICTIONARY) IF NOT EXISTS|ALTER TABLE) \w+\.(\w+)")
_LEDGER = (LEASES, SOURCE_MARKS, MARKS)


def lost_tables(client: Client, settings: TableSettings, done: Container[tuple[int, int]] | None = None) -> list[str]:
    """Tables and dictionaries that the database has not, of the (migration, statement) in `done`, in their order.

    None = every migration was executed; what was not is no loss but still to be made.
    """
    sql = "SELECT name FROM system.tables WHERE database = {database:String}"
    there = set(client.columns(sql, {"database": client.database}).first)
    made = dict.fromkeys(name for place, name, _ in _by_object(settings) if done is None or place in done)
    return [name for name in made if name not in there]


def refuse(database: str, lost: Sequence[str]) -> None:
    """Raise `Misconfigured`, with the way out, where there are any."""
    if lost:
        raise Misconfigured(
            f"database {database} has lost {', '.join(lost)}: somebody dropped what a migration had made. Stop the"
            " sinks, then `still init --remake` makes it again, empty; what Kafka still holds lands again, older rows"
            " are gone unless a backup brings them back. `still up` does the same when it starts"
        )


def remake(client: Client, settings: TableSettings, lost: Sequence[str]) -> Iterator[str]:
    """The statements that let the ledger forget lost tables and make these again; for when no sink runs.

    Each may run twice: the ledger forgets first, so that a kill in between leaves a table that is still missing.
    """
    # What is not there has nothing to forget.
    held = [name for name in _LEDGER if name not in lost]
    topics = [table.topic for table in tables() if table.name in lost]
    where = "1" if SOURCE_MARKS in lost else f"topic IN ({', '.join(map(repr, topics))})"
    if topics or SOURCE_MARKS in lost:
        for name in held:
            yield (
                f"ALTER TABLE {client.database}.{name}{settings.on_cluster} DELETE WHERE {where}"
                " SETTINGS mutations_sync = 2"
            )
    yield from (statement for _, name, statement in _by_object(settings) if name in lost)


def _by_object(settings: TableSettings) -> Iterator[tuple[tuple[int, int], str, str]]:
    """Each statement with its place, and the table that it makes or changes."""
    for step in migrations():
        for index, statement in enumerate(step.statements(settings)):
            if found := _OBJECT.match(statement):
                yield (step.number, index), found[1], statement
