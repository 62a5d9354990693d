"""Errors of the stream, split by who must act.

StreamError
├── ForeignState     the operator: assembly state of another log lies in the state topic
├── LogWentBack      the operator: the broker was replaced under a running worker; start it again
├── WrongPartitions  the operator: a topic exists with another partition count; it is fixed for life
├── TooManyRejected  the operator: nearly everything is refused, so the worker or the publisher is wrong
├── GapFound         the operator: records between two others are missing from a log
└── Unconfirmed      nobody at first: the broker did not confirm; retry, then stop
"""


class StreamError(Exception):
    """Anything wrong with the stream that is no fault of one record."""


class ForeignState(StreamError):  # noqa: N818 - named for what it is
    """Assembly state whose offsets belong to another cluster or partition."""


class LogWentBack(StreamError):  # noqa: N818
    """Offsets that went back: the broker lost its log and began another."""


class WrongPartitions(StreamError):  # noqa: N818
    """A topic whose partition count is not the configured one."""


class TooManyRejected(StreamError):  # noqa: N818
    """So many records in a row, or of the last ones, were refused that going on would empty the log into dead.letters."""


class GapFound(StreamError):  # noqa: N818
    """A record names a predecessor that was never seen."""


class Unconfirmed(StreamError):  # noqa: N818
    """Records that the broker did not confirm; `retriable` tells whether the same bytes may pass later."""

    def __init__(self, message: str, *, retriable: bool) -> None:
        super().__init__(message)
        self.retriable = retriable
