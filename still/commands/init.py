"""`still init`: topics, tables and views; running it again changes nothing that is right already."""

from __future__ import annotations

from typing import Annotated

import orjson
import typer

from still.settings import load
from still.setup import prepare


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init")(init)


def init(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False) -> None:
    """Make topics, tables and views, and announce the model events that the broker has lost."""
    settings = load()
    prepared = prepare(settings)
    if as_json:
        print(orjson.dumps(prepared).decode())
        return
    topics = ", ".join(prepared.topics) or "none new, all are there"
    print(f"topics    {topics} (at {settings.bootstrap_servers})")
    print(f"tables    {prepared.statements} statements, database {settings.database} (at {settings.clickhouse_url})")
    if settings.schema_registry:
        print(f"schemas   {prepared.schemas} versions registered (at {settings.schema_registry})")
    print(f"registry  {prepared.restored} model events announced again")
