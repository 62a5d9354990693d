"""A refused record of the worker becomes its letter; too many of them stop the stage."""

from __future__ import annotations

import pytest

from schemas.ceiling import Ceiling, Limits
from streams.dead_letters import Source, dead_letter_of, stop_at
from streams.errors import TooManyRejected
from streams.values import Arrived, Rejected

SOURCE = Source("cluster", "conversation.events", 2)


def test_a_letter_names_the_log_and_the_refusal() -> None:
    """Where the record lay, which stage refused it, and why."""
    letter = dead_letter_of(Arrived(7, 5, b"key", b"x"), SOURCE, Rejected("assemble", "undecodable", "no header"))
    assert (letter.cluster_id, letter.topic, letter.partition, letter.offset) == (*_place(SOURCE), 7)
    assert (letter.stage, letter.reason, letter.detail, letter.attempt) == ("assemble", "undecodable", "no header", 0)


def test_the_complaint_names_the_log_and_what_to_do() -> None:
    """Where, how many, how to look, and which settings let such records go."""
    complaint = (
        r"conversation.events\[2\] refused the last 3 .* \(offset 7: bad\).*dlq list.*still resume.*STILL_REFUSED"
    )
    with pytest.raises(TooManyRejected, match=complaint):
        stop_at(Ceiling(Limits(run=3)).judge([True] * 3), SOURCE, "offset 7: bad")


def _place(source: Source) -> tuple[str, str, int]:
    return source.cluster_id, source.topic, source.partition
