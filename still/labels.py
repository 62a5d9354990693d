"""What `still label import` and `still benchmark import` share: sources into examples, with an audit of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import typer
from rich.console import Console
from rich.progress import track

from schemas.records import Split
from still.capture import open_producer, reported
from still.errors import UserError
from still.settings import Settings
from streams.errors import ImportFault
from streams.importers.label_files import READERS
from streams.label import LabelAudit, read_examples, send_examples
from streams.labelled import LabelledSettings
from streams.produce import Producer
from streams.settings import RedactSettings


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the user says about all lines, stronger than what they say themselves; None = they decide."""

    label_set: str | None
    split: Split | None


def import_labels(
    sources: Sequence[Path], settings: Settings, form: str, overrides: Overrides, *, dry_run: bool
) -> list[LabelAudit]:
    """Import each source; a source that cannot be read is a fault of its audit.

    Raises:
        UserError: an unknown format, a path that is not there, no broker.
    """
    if form not in READERS:
        raise UserError(f"--format {form!r} is not one of {', '.join(READERS)}")
    for source in sources:
        if not source.exists():
            raise UserError(f"{source} is not there; check the path")
    how = LabelledSettings(RedactSettings(settings.key()), settings.partitions, overrides.label_set, overrides.split)
    shown = track(sources, "labels", console=Console(stderr=True), transient=True)
    if dry_run:
        return [_import(None, source, form, how, settings.topic_prefix) for source in shown]
    with open_producer(settings) as producer:
        return [_import(producer, source, form, how, settings.topic_prefix) for source in shown]


def _import(producer: Producer | None, source: Path, form: str, how: LabelledSettings, prefix: str) -> LabelAudit:
    audit = LabelAudit(str(source))
    with reported():
        try:
            return send_examples(producer, prefix, read_examples(source, form, how), audit)
        except ImportFault as fault:
            audit.faults.append(str(fault))
            return audit


def print_audits(audits: Sequence[LabelAudit], *, as_json: bool) -> None:
    """One line per source, or a JSON list; faults on standard error; exits 1 if there is any."""
    for fault in (fault for audit in audits for fault in audit.faults):
        typer.echo(f"error: {fault}", err=True)
    if as_json:
        typer.echo(orjson.dumps([_told(audit) for audit in audits]).decode())
    for audit in audits if not as_json else ():
        sides = ", ".join(f"{count} {side}" for side, count in sorted(audit.splits.items()))
        sets = ", ".join(sorted(audit.label_sets))
        typer.echo(f"{audit.source} -> {sets}: {audit.examples} examples ({sides}), {len(audit.faults)} faults")
    raise typer.Exit(1 if any(audit.faults for audit in audits) else 0)


def _told(audit: LabelAudit) -> dict[str, Any]:
    return {
        "source": audit.source,
        "label_sets": sorted(audit.label_sets),
        "examples": audit.examples,
        "splits": dict(audit.splits),
        "tasks": dict(audit.tasks),
        "faults": audit.faults,
    }
