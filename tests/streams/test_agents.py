"""What a worker says when it ends itself."""

from __future__ import annotations

import pytest

from schemas import codec
from schemas.errors import InvalidRecord, RegistryAway
from streams.agents import told
from streams.errors import GapFound
from tests.sinks.made import example


def test_what_a_record_holds_reaches_no_log() -> None:
    """A record that cannot be encoded is refused with its value; the log has the kind of the fault only."""
    broken = example(1)
    object.__setattr__(broken, "language", ["Maria Lopez, +49 170 1234567"])
    with pytest.raises(InvalidRecord) as caught:
        codec.encode(broken)
    assert "Maria" in str(caught.value)
    assert told(caught.value).startswith("InvalidRecord; ")
    assert "Maria" not in told(caught.value)
    assert "Maria" not in told(KeyError("Maria"))


def test_a_fault_of_the_stream_is_told_in_full() -> None:
    """The operator reads what to do."""
    assert told(GapFound("offset 12 follows offset 9")) == "offset 12 follows offset 9"
    assert told(RegistryAway("nobody answers")) == "nobody answers"
