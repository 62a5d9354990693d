"""Errors of the embedded stack.

EmbeddedError
├── FolderHeldError       another process owns the folder: use it, stop it, or choose another folder
├── ChildFailedError      a child process did not become ready, or died too often
├── StackNotRunningError  there is no stack in this folder: start one
└── MissingPartError      an optional package, Java or Maven is missing: install what the message names
"""


class EmbeddedError(Exception):
    """Base of everything that the embedded stack raises on purpose."""


class FolderHeldError(EmbeddedError):
    """Another process holds the folder; the message names its process id and since when."""


class ChildFailedError(EmbeddedError):
    """A child process did not become ready in time or ended; the message quotes its last output."""


class StackNotRunningError(EmbeddedError):
    """No running stack was found in the folder."""


class MissingPartError(EmbeddedError):
    """A package of the `embedded` extra, or what runs or fetches Apache Kafka, is not on this machine."""
