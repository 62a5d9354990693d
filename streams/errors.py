"""Errors of the stream, split by who must act; data that a stage cannot take is a `Rejected` value instead.

StreamError
├── ForeignState           the operator: assembly state of another log lies in the state topic
├── LogWentBack            the operator: the broker was replaced under a running worker; start it again
├── WrongPartitions        the operator: a topic exists with another partition count; it is fixed for life
├── TooManyRejected        the operator: nearly everything is refused, so the worker or the publisher is wrong
├── GapFound               the operator: records between two others are missing from a log
├── StateUnreadable        the operator: the state topic cannot be read to its end, or holds what is no state
├── NoSuchLetter           the user: an id names no dead letter, or its beginning several
├── CannotSeal             the user: a benchmark is empty, leaks, or would change under a sealed name
├── ImportFault            whoever wrote the file: it must be mended; carries file and line
└── ProduceError           an event was not confirmed; carries what is needed to send it again
    ├── EventTooLarge      the caller must send less in one event; never retry
    ├── BrokerUnavailable  nobody answered in time; retry later, sending again is safe
    ├── DeliveryFailed     the broker refused; the text says why
    └── ProducerClosed     the caller used a producer after closing it
"""

from __future__ import annotations

from pathlib import Path

from schemas.records import ConversationEvent


class StreamError(Exception):
    """Anything wrong with the stream that is no fault of one record."""


class ForeignState(StreamError):  # noqa: N818 - named for what it is
    """Assembly state whose offsets belong to another cluster or partition."""


class LogWentBack(StreamError):  # noqa: N818
    """Offsets that went back: the broker lost its log and began another."""


class WrongPartitions(StreamError):  # noqa: N818
    """A topic whose partition count is not the configured one."""


class TooManyRejected(StreamError):  # noqa: N818
    """So many records were refused that going on would only empty the log into the dead letters."""


class GapFound(StreamError):  # noqa: N818
    """A record names a predecessor that was never seen."""


class StateUnreadable(StreamError):  # noqa: N818
    """The state topic cannot be read to its end, or holds what is no state of ours."""


class NoSuchLetter(StreamError):  # noqa: N818
    """No letter, or more than one, goes by the id that the user gave."""


class CannotSeal(StreamError):  # noqa: N818
    """A benchmark that is empty, leaks, or would change under a sealed name."""


class ImportFault(StreamError):  # noqa: N818 - named for what it is, not for being an error
    """One place of a file that cannot be imported: `file:line: what`."""

    def __init__(self, file: Path | str, line: int | None, what: str) -> None:
        super().__init__(f"{file}:{line}: {what}" if line is not None else f"{file}: {what}")
        self.file = str(file)
        self.line = line
        self.what = what


class ProduceError(StreamError):
    """A message is not confirmed; `event` (set by the publisher) can be published again: same id, counted once."""

    event: ConversationEvent | None = None


class EventTooLarge(ProduceError):  # noqa: N818
    """An encoded event exceeds the limit; nothing was sent."""


class BrokerUnavailable(ProduceError):  # noqa: N818
    """No broker answered, or none confirmed, within the time limit: whether the message arrived is unknown."""


class DeliveryFailed(ProduceError):  # noqa: N818
    """The broker, or the client on its behalf, refused a message for good."""


class ProducerClosed(ProduceError):  # noqa: N818
    """The producer was closed before this call."""
