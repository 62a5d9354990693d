"""What `still up` prints: the stack when it is up, what a crash took, what a stop kept."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from still.embedded.stack import Broker, EmbeddedStack
from still.output import console
from still.stopping import Account
from still.watch import Lost

_BROKER: dict[Broker, str] = {"memory": "in memory: gone when this stops", "apache": "Apache Kafka, durable"}


def show_stack(running: EmbeddedStack) -> None:
    """Where everything is."""
    stack = running.stack
    table = Table("process", "state", "pid", "health", box=None)
    for status in running.supervisor.statuses().values():
        table.add_row(status.name, status.state, str(status.pid), status.health_url or "")
    out = Console()
    out.print(table)
    out.print(f"\nKafka       {stack.bootstrap_servers}  ({_BROKER[stack.broker]}; cluster {stack.cluster_id})")
    out.print(f"ClickHouse  {stack.clickhouse_url}")
    out.print(f"health      {stack.health_url}/readyz, /metrics")
    out.print(f"folder      {stack.folder}")
    out.print("\nTry, in another terminal:  still simulate -n 200    still status    still sql 'SELECT * FROM funnel'")
    out.print("Ctrl-C stops everything in order.")
    sys.stdout.flush()


def show_remade(tables: Sequence[str]) -> None:
    """Which tables somebody had dropped."""
    what = "had been dropped, made again empty; what Kafka still holds lands again, older rows do not"
    console().print(f"{', '.join(tables)}: {what}", soft_wrap=True, highlight=False)


def show_loss(lost: Lost) -> None:
    """What the broker's crash took, as far as it is known."""
    console().print(loss_line(lost), soft_wrap=True, highlight=False)
    sys.stdout.flush()


def loss_line(lost: Lost) -> str:
    """One line: how many records and contacts, and from when that is known."""
    if lost.records is None:
        records = "how many records were lost is unknown"
    else:
        by_topic = ", ".join(f"{topic} {records:,}" for topic, records in lost.records.items())
        count = f"{sum(lost.records.values()):,} records" + (f" ({by_topic})" if by_topic else "")
        records = f"{count} that were there {lost.looked_s_ago:g} s ago had not landed"
    contacts = "an unknown number of" if lost.contacts is None else f"{lost.contacts:,}"
    counted = f"{records}, and {contacts} contacts had not become conversations; what came since is not counted"
    return f"the broker died and came back empty: {counted}. Publish these events again."


def show_account(account: Account) -> None:
    """What the stop kept, and what it did not."""
    for line in account_lines(account):
        console().print(line, soft_wrap=True, highlight=False)


def account_lines(account: Account) -> Iterator[str]:
    """A line for the rows, one for what did not land or may have, one for open contacts."""
    if account.rows is None:
        yield f"kept      unknown: {account.unknown}"
    else:
        rows = ", ".join(f"{name} {count:,}" for name, count in account.rows.items() if count) or "nothing yet"
        yield f"kept      rows in ClickHouse: {rows}"
    fate = "lost with the in-memory broker" if account.broker == "memory" else "they wait in Kafka for the next start"
    if account.left is None:
        yield "not read  unknown: the broker did not answer"
    elif account.left:
        left = ", ".join(f"{lag.topic} {lag.waiting:,} ({lag.group})" for lag in account.left)
        yield f"not read  {left}; {fate}"
    else:
        yield "not read  nothing: every record has landed"
    if account.is_unsure:
        yield "unsure    the sink left an insert that ClickHouse had not answered: its rows may land yet, none twice"
    if account.closed:
        yield f"closed    {account.closed:,} contacts that were open, because the in-memory broker forgets their turns"
    if account.open is None:
        yield "open      unknown"
    elif account.open:
        yield f"open      {account.open:,} contacts; {fate}"
