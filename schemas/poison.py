"""A record over which a pure step raises: it would at every start again, and nothing behind it would ever be read.

Such a record is refused like any other that cannot be taken. If it is the version that is broken, and not the record,
the ceiling of refusals stops the stage.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import structlog

from schemas.errors import RegistryError

log = structlog.get_logger()

A = TypeVar("A")
T = TypeVar("T")

REASON: Final = "failed"


class Poison(NamedTuple):
    """A fault of ours, in words that quote no record: those of the exception may."""

    detail: str


def unless_poison(step: Callable[[A], T], record: A) -> T | Poison:
    """What a pure step makes of a record, or that it cannot.

    Raises:
        MemoryError, OSError, RegistryError: nothing is wrong with record or step; the same step may succeed later.
    """
    try:
        return step(record)
    except (MemoryError, OSError, RegistryError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this record's: the step is pure
        poison = Poison(_told(error))
        log.warning("step_raised", why=poison.detail, trace=traceback.format_tb(error.__traceback__))
        return poison


def _told(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(last.filename).name}:{last.lineno}"
    return (
        f"{type(error).__name__} at {where}, a fault of this version; upgrade, then replay, and report it if it stays"
    )
