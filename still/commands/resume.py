"""`still resume`: what stopped at its ceiling of refusals may start again, as it is."""

from __future__ import annotations

import typer

from still import tripped
from still.settings import load


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("resume")(resume)


def resume() -> None:
    """Let a worker or sink of STILL_FOLDER that stopped at its ceiling start again; it stops there again if need be."""
    folder = load().folder
    removed = tripped.forget(folder)
    for file in removed:
        print(f"removed {file}; start the process again")
    if not removed:
        print(f"nothing of {folder.absolute()} has stopped at a ceiling")
