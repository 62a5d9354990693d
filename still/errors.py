"""Errors that a user of the `still` command can mend: one line, no traceback, exit status 2."""


class UserError(Exception):
    """What was wrong with which value, and what to do."""
