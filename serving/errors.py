"""Errors of what answers, split by who must act.

ServingError
├── NoChampion         no version of the track has passed its gate yet; train one
├── RefusedAdapter     an announced adapter is not what its event says; the old one stays
└── EventsUnavailable  model events cannot be read; start Kafka, then try again
"""


class ServingError(Exception):
    """Anything wrong with answering."""


class NoChampion(ServingError):  # noqa: N818 - named for what it is, not for being an error
    """A track that no version serves yet."""


class RefusedAdapter(ServingError):  # noqa: N818
    """An adapter that must not be loaded."""


class EventsUnavailable(ServingError):  # noqa: N818
    """Model events that cannot be read."""
