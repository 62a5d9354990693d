"""What ClickHouse holds, as status, stop and crash reports tell it: rows, freshness, dead letters, positions."""
# ruff: noqa: S608 - the texts hold names of ours only, values travel as parameters

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sinks.clickhouse.client import Client
from sinks.clickhouse.ledger import MARKS
from sinks.errors import SinkError
from sinks.tables import Table, by_topic
from still import wiring
from still.errors import UserError
from still.lag import Ends
from still.settings import Settings

RECENT_MINUTES = 10


@contextmanager
def asking(settings: Settings) -> Iterator[Client]:
    """A client while the context lasts.

    Raises:
        UserError: ClickHouse is away, or refuses; in its words.
    """
    try:
        client = wiring.clickhouse(settings)
        try:
            yield client
        finally:
            client.close()
    except SinkError as error:
        raise UserError(str(error)) from None


def rows(client: Client) -> dict[str, int]:
    """How many rows each table has."""
    return {name: int(row["n"]) for name, row in _by_table(client, "count() AS n").items()}


def freshness(client: Client) -> dict[str, dict[str, Any]]:
    """Of each table: how many rows landed lately, and how long these took from the log to the table.

    Seconds from the Kafka timestamp; `median_s` and `p99_s` are None where nothing landed in RECENT_MINUTES, and
    `newest_at`, the Kafka time of the newest row in microseconds UTC, where nothing ever did.
    """
    delay = "quantile({})(dateDiff('millisecond', _logged_at, _ingested_at)) / 1000"
    figures = ", ".join(
        (
            "count() AS rows",
            f"if(count() = 0, NULL, {delay.format(0.5)}) AS median_s",
            f"if(count() = 0, NULL, {delay.format(0.99)}) AS p99_s",
        )
    )
    recent = f"WHERE _ingested_at > now64(6) - INTERVAL {RECENT_MINUTES} MINUTE"
    newest = "if(count() = 0, NULL, toUnixTimestamp64Micro(max(_logged_at))) AS newest_at"
    latest = _by_table(client, newest)
    return {name: row | latest[name] for name, row in _by_table(client, figures, recent).items()}


def dead_letters(client: Client) -> list[dict[str, Any]]:
    """How many records each stage refused for which reason, the most first."""
    return client.rows(
        "SELECT stage, reason, uniqExact(dead_letter_id) AS records,"
        f" toUnixTimestamp64Micro(max(failed_at)) AS newest_at FROM {client.database}.dead_letters"
        " GROUP BY stage, reason ORDER BY records DESC, stage, reason"
    )


def ends(client: Client, cluster: str) -> Ends:
    """The offset after the last landed record of each partition of a broker cluster, by rows and ledger; no prefix."""
    by_rows = _of_each(
        client, "_partition AS number, max(_offset) AS last", "WHERE _cluster = {cluster:String} GROUP BY number"
    )
    by_ledger = (
        f"SELECT topic AS name, partition AS number, max(last) AS last FROM {client.database}.{MARKS}"
        " WHERE cluster = {cluster:String} GROUP BY topic, partition"
    )
    topic_of = {table.name: table.topic for table in by_topic().values()}
    found: Ends = {}
    for row in client.rows(f"{by_rows} UNION ALL {by_ledger}", {"cluster": cluster}):
        place = topic_of.get(row["name"], row["name"]), int(row["number"])
        found[place] = max(found.get(place, 0), int(row["last"]) + 1)
    return found


def unfinished_contacts(client: Client, cluster: str) -> int:
    """How many contacts have events of this cluster, and no conversation that was made of them."""
    found = client.rows(
        f"SELECT uniqExact(conversation_id) AS n FROM {client.database}.conversation_events"
        " WHERE _cluster = {cluster:String} AND conversation_id IS NOT NULL AND conversation_id NOT IN"
        f" (SELECT conversation_id FROM {client.database}.conversations WHERE src_cluster = {{cluster:String}})",
        {"cluster": cluster},
    )
    return int(found[0]["n"])


def _by_table(client: Client, figures: str, rest: str = "") -> dict[str, dict[str, Any]]:
    """One row of figures for each table, in the order of the tables: the parts of a union come in any."""
    found = {row.pop("name"): row for row in client.rows(_of_each(client, figures, rest))}
    return {table.name: found[table.name] for table in by_topic().values()}


def _of_each(client: Client, figures: str, rest: str = "") -> str:
    def one(table: Table) -> str:
        return f"SELECT '{table.name}' AS name, {figures} FROM {client.database}.{table.name} {rest}"

    return " UNION ALL ".join(one(table) for table in by_topic().values())
