"""`still init`: topics, tables and views; running it again changes nothing that is right already."""

from __future__ import annotations

from typing import Annotated

import orjson
import typer

from still.settings import Settings, load
from still.setup import Prepared, plan, prepare


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init")(init)


def init(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the statements for ClickHouse, change nothing")
    ] = False,
    remake: Annotated[
        bool, typer.Option("--remake", help="Make dropped tables again, empty; restart the sinks afterwards")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
) -> None:
    """Register schemas, make topics, bring tables and views forward, announce model events that the broker has lost."""
    settings = load()
    if dry_run:
        wanted = plan(settings)
        print(
            orjson.dumps(wanted).decode() if as_json else "".join(f"{statement};\n\n" for statement in wanted), end=""
        )
        return
    prepared = prepare(settings, remake=remake)
    if as_json:
        print(orjson.dumps(prepared).decode())
    else:
        _show(prepared, settings)


def _show(prepared: Prepared, settings: Settings) -> None:
    topics = ", ".join(prepared.topics) or "none new, all are there"
    steps = ", ".join(f"{name} ({count} statements)" for name, count in prepared.migrations.items())
    print(f"topics    {topics} (at {settings.bootstrap_servers})")
    print(f"tables    {steps or 'up to date'}, database {settings.database} (at {settings.clickhouse_url})")
    if prepared.remade:
        print(f"remade    {', '.join(prepared.remade)}: empty; restart the sinks: what Kafka still holds lands again")
    print(f"views     {prepared.statements - sum(prepared.migrations.values())} statements, set anew")
    if settings.schema_registry:
        print(f"schemas   {prepared.schemas} versions registered (at {settings.schema_registry})")
    print(f"registry  {prepared.restored} model events announced again")
