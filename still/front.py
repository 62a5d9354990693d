"""Runs one command: typer in front, a user's mistake as one line on standard error behind."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable

import structlog
import typer

from schemas.errors import RegistryError
from schemas.exits import TRIPPED
from still.errors import Tripped, UserError


def run(register: Callable[[typer.Typer], None], arguments: list[str]) -> int:
    """Run a command's module with these arguments; the exit status is that of `still.__main__.main`."""
    configure_logs()
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)
    app.callback()(_still)
    register(app)
    try:
        status = app(arguments, prog_name="still", standalone_mode=True)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except (UserError, RegistryError) as error:
        sys.stderr.write(f"error: {error}\n")
        return TRIPPED if isinstance(error, Tripped) else 2
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        return 130
    except BrokenPipeError:
        # The reader of our output went away (`still sql ... | head`): not a failure of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        # A path that cannot be read or written, wherever it is met first; anything else is a failure of ours.
        if error.filename is None:
            raise
        sys.stderr.write(f"error: {error.filename}: {error.strerror}; name a path that can be used (STILL_FOLDER?)\n")
        return 2
    return status if isinstance(status, int) else 0


def configure_logs() -> None:
    """Structured logs on standard error: readable on a terminal, JSON lines elsewhere; level by STILL_LOG_LEVEL."""
    renderer = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    level = logging.getLevelNamesMapping().get(os.environ.get("STILL_LOG_LEVEL", "INFO").upper(), logging.INFO)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )


def _still() -> None:
    """Make typer keep the command's name even where a module registers only one."""
