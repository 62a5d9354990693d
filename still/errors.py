"""Errors that a user of the `still` command can mend: one line, no traceback; exit status 2 unless said otherwise."""


class UserError(Exception):
    """What was wrong with which value, and what to do."""


class Tripped(UserError):  # noqa: N818 - named for what it is
    """A process reached its ceiling of refusals, now or in a former life; exit status `schemas.exits.TRIPPED`."""
