"""Tables that a migration made and that are gone: named, and made again where that is asked for.

A table made again is empty while the ledger still says how far it had landed, so the ledger forgets the table's topic
first: an assignment then begins where Kafka begins, and what Kafka still holds lands again. Leases go before that: a
sink that runs writes neither its old mark back nor on behind rows that are missing; it ends, and its next start lands
everything. With `sink_source_marks` the whole ledger goes:
without them nothing but reading all rows again tells a repeat from news.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence

from sinks.clickhouse.client import Client
from sinks.clickhouse.ledger import LEASES, MARKS, SOURCE_MARKS, wait_for_running_inserts
from sinks.clickhouse.migrations import migrations
from sinks.clickhouse.settings import TableSettings
from sinks.errors import Misconfigured
from sinks.tables import tables

_OBJECT = re.compile(r"(?:CREATE (?:TABLE|DICTIONARY) IF NOT EXISTS|ALTER TABLE) \w+\.(\w+)")


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
            f"database {database} has lost {', '.join(lost)}: somebody dropped what a migration had made."
            " `still init --remake` makes it again, empty; restart the sinks afterwards, and what Kafka still holds"
            " lands again; older rows are gone unless a backup brings them back. `still up` does so at its start"
        )


def remake(client: Client, settings: TableSettings, lost: Sequence[str]) -> Iterator[str]:
    """The statements that let the ledger forget lost tables and make these again, whoever runs; each may run twice.

    The ledger forgets first, so that a kill in between leaves a table that is still missing. A sink whose lease went
    writes no mark any more, and marks on their way are waited for. One that takes a lease meanwhile writes nothing
    while the table is missing, for `landed` fails; had it read the old mark before and the new table after, the leases,
    which go once more in between, keep it from writing. Who takes a lease after that reads a ledger that has forgotten.
    """
    topics = [table.topic for table in tables() if table.name in lost]
    where = "1" if SOURCE_MARKS in lost else f"topic IN ({', '.join(map(repr, topics))})"
    if topics or SOURCE_MARKS in lost:
        # What is not there has nothing to forget.
        leases, marks = ([name for name in names if name not in lost] for names in ((LEASES,), (SOURCE_MARKS, MARKS)))
        yield from _forgotten(settings, leases, where)
        wait_for_running_inserts(client, marks)
        yield from _forgotten(settings, [*marks, *leases], where)
    yield from (statement for _, name, statement in _by_object(settings) if name in lost)


def _forgotten(settings: TableSettings, names: Sequence[str], where: str) -> Iterator[str]:
    for name in names:
        yield (
            f"ALTER TABLE {settings.database}.{name}{settings.on_cluster} DELETE WHERE {where}"
            " SETTINGS mutations_sync = 2"
        )


def _by_object(settings: TableSettings) -> Iterator[tuple[tuple[int, int], str, str]]:
    """Each statement with its place, and the table that it makes or changes."""
    for step in migrations():
        for index, statement in enumerate(step.statements(settings)):
            if found := _OBJECT.match(statement):
                yield (step.number, index), found[1], statement
