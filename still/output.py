"""The console for people: as wide as the terminal, and wide enough for whole names in a file or pipe."""

from __future__ import annotations

import sys

from rich.console import Console

PIPE_WIDTH = 200


def console() -> Console:
    """Standard output."""
    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)


def number(value: float | None) -> str:
    """A figure, or `unknown`."""
    return "unknown" if value is None else f"{value:.4f}"
