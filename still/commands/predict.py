"""`still predict`: the champion's answer to a text, through the same subscriber and engine that serving uses."""

from __future__ import annotations

import sys
from typing import Annotated

import orjson
import typer

from schemas.records import TASKS
from still.answering import engine
from still.errors import UserError
from still.output import console
from still.settings import load
from still.training import explained


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("predict")(predict)


def predict(
    text: Annotated[str, typer.Argument(help="What the customer says")],
    task: Annotated[str, typer.Option(help="intent, entities, response, tools or safety")],
    label_set: Annotated[str | None, typer.Option(help="Needed where a task has several champions")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON")] = False,
) -> None:
    """Answer with the champion of a track; says so where there is none."""
    known = next((one for one in TASKS if one == task), None)
    if known is None:
        raise UserError(f"--task {task!r} is not one of {', '.join(TASKS)}")
    with explained():
        answer = engine(load(), known, label_set).answer(known, label_set, [{"role": "user", "content": text}])
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
        return
    sure = "" if answer.confidence is None else f"  ({answer.confidence:.0%} sure)"
    out = console()
    out.print(orjson.dumps(answer.output).decode() + sure, markup=False, highlight=False)
    out.print(f"by {answer.adapter}, label set {answer.label_set}", markup=False, highlight=False)
