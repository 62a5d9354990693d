"""Errors that a user of the `still` command can mend: one line, no traceback; exit status 2 unless said otherwise."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class UserError(Exception):
    """What was wrong with which value, and what to do."""


class Tripped(UserError):  # noqa: N818 - named for what it is
    """A process reached its ceiling of refusals, now or in a former life; exit status `schemas.exits.TRIPPED`."""


def known(ask: Callable[[], T], told: Callable[[str], object]) -> T | None:
    """What `ask` gives; None where it cannot be known, and `told` hears why."""
    try:
        return ask()
    except UserError as error:
        told(str(error))
        return None
