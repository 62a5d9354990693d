"""What can be wrong with the simulator's own data or settings; each says which value and what to do."""

from __future__ import annotations


class SimulateError(Exception):
    """Root of this package's errors."""


class BadTemplate(SimulateError):  # noqa: N818 - named for what it is
    """A template of a language file cannot be read."""


class BadSettings(SimulateError):  # noqa: N818
    """A setting of the simulation makes no sense."""
