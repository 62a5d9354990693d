"""Tables that a migration made and that are gone: named, and made again where that is asked for.

A table made again is empty while the ledger still says how far it had landed, so the ledger forgets the table's topic
first: an assignment then begins where Kafka begins, and what Kafka still holds lands again. Leases go before that: a
sink that runs writes neither its old mark back nor on behind rows that are missing; it ends, and its next start lands
everything. With `sink_source_marks` the whole ledger goes: without them nothing but reading all rows again tells a
repeat from news. Then the steps that had made the tables count as not executed, so that a kill in between leaves an
`init` to be run again, as any other.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence

from sinks.clickhouse.client import Client
from sinks.clickhouse.ledger import LEASES, MARKS, SOURCE_MARKS, wait_for_running_inserts
from sinks.clickhouse.migrations import RECORD, migrations
from sinks.clickhouse.settings import TableSettings
from sinks.errors import Misconfigured
from sinks.tables import tables

_OBJECT = re.compile(r"(?:CREATE (?:TABLE|DICTIONARY) IF NOT EXISTS|ALTER TABLE) \w+\.(\w+)")
_AT_ONCE = " SETTINGS mutations_sync = 2"


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
            " `still init --remake` makes it again, empty; restart the sinks afterwards (stop those of an earlier"
            " release before), and what Kafka still holds lands again; older rows are gone unless a backup brings them"
            " back. `still up` does so at its start"
        )


def remake(client: Client, settings: TableSettings, lost: Sequence[str]) -> Iterator[str]:
    """The statements after which lost tables are such that no step has made yet, whoever runs; each may run twice.

    The ledger forgets their topics. A sink that runs has lost its lease by then: it writes no mark any more, and marks
    on their way are waited for. Who takes a lease meanwhile may have read the old mark, so the leases go once more.
    Who takes one after that, while the table is still missing or not, reads a ledger that has forgotten.

    Raises:
        Temporary: an insert into the ledger that began under a lease does not end.
    """
    topics = [table.topic for table in tables() if table.name in lost]
    where = "1" if SOURCE_MARKS in lost else f"topic IN ({', '.join(map(repr, topics))})"
    if topics or SOURCE_MARKS in lost:
        # What is not there has nothing to forget.
        leases = [LEASES] if LEASES not in lost else []
        marks = [name for name in (SOURCE_MARKS, MARKS) if name not in lost]
        yield from _forgotten(settings, leases, where)
        wait_for_running_inserts(client, marks)
        yield from _forgotten(settings, marks, where)
        yield from _forgotten(settings, leases, where)
    if lost:
        places = ", ".join(str(place) for place, name, _ in _by_object(settings) if name in lost)
        yield f"ALTER TABLE {settings.database}.{RECORD} DELETE WHERE (number, statement) IN ({places}){_AT_ONCE}"


def _forgotten(settings: TableSettings, names: Sequence[str], where: str) -> Iterator[str]:
    for name in names:
        yield f"ALTER TABLE {settings.database}.{name}{settings.on_cluster} DELETE WHERE {where}{_AT_ONCE}"


def _by_object(settings: TableSettings) -> Iterator[tuple[tuple[int, int], str, str]]:
    """Each statement with its place, and the table that it makes or changes."""
    for step in migrations():
        for index, statement in enumerate(step.statements(settings)):
            if found := _OBJECT.match(statement):
                yield (step.number, index), found[1], statement
