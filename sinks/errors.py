"""Errors of where things land, split by who must act.

SinkError
├── Temporary            try the very same thing again: the outcome may be unknown
│   ├── BrokerUnavailable    Kafka does not answer or confirm; start it, then try again
│   └── RegistryUnavailable  the adapter store cannot be reached or written; mend it, then try again
├── Rejected             these rows can never land as they are; look at them, never retry
├── Misconfigured        no row can land: mend the settings or run `still init`, then start again
├── TooManyRejected      nearly everything is refused: this version or a publisher is wrong; mend it, then start again
├── LeaseLost            another sink has taken over; stop without writing anything more
├── QueryFailed          somebody's own query is wrong; ClickHouse's words say how
├── DamagedRegistry      a file in the adapter store is not what was written; put it back or move it away, never retry
└── NameTaken            an adapter name already holds another content; never retry under that name
"""

from __future__ import annotations


class SinkError(Exception):
    """Anything wrong with where things land; carries the table and ClickHouse's numeric code where known."""

    def __init__(self, message: str, *, table: str | None = None, code: int | None = None) -> None:
        super().__init__(message)
        self.table = table
        self.code = code


class Temporary(SinkError):  # noqa: N818 - named for what it is, not for being an error
    """The store did not answer or has no room now; whether the last insert landed may be unknown."""


class BrokerUnavailable(Temporary):
    """Kafka does not answer or confirm."""


class RegistryUnavailable(Temporary):
    """The adapter store cannot be reached or written."""


class Rejected(SinkError):  # noqa: N818
    """A definite no to this block; nothing of it landed."""


class Misconfigured(SinkError):  # noqa: N818
    """A definite no to every block: a table, column, right or address is missing."""


class TooManyRejected(SinkError):  # noqa: N818
    """So many records were refused that going on would only empty the log into the dead letters."""


class LeaseLost(SinkError):  # noqa: N818
    """Another sink holds the lease of a partition by now; nothing of the block landed."""


class QueryFailed(SinkError):  # noqa: N818
    """A query that ClickHouse refuses, in its words."""


class DamagedRegistry(SinkError):  # noqa: N818
    """A file in the adapter store that cannot be read as what it must be; the message names it."""


class NameTaken(SinkError):  # noqa: N818
    """An adapter name that already holds another content."""
