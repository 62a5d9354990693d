"""A Schema Registry that is away makes no dead letter: neither stage nor sink takes it for a fault of the record."""

from __future__ import annotations

import struct

import pytest

from schemas import catalog, wire
from schemas.errors import RegistryAway
from schemas.wire import Wire
from sinks.decode import decoders
from sinks.tables import by_topic
from sinks.values import Arrived as Read
from sinks.values import Partition
from streams.receive import receive
from streams.values import Arrived

UNKNOWN = struct.pack(">bI", 0, 4711) + b"\x00"


def _away(_: int) -> None:
    raise RegistryAway("no answer")


@pytest.fixture(autouse=True)
def _registry_away() -> None:
    wire.bind(Wire({topic.record: topic.versions for topic in catalog.topics().values()}, _away))


def test_assemble_does_not_refuse() -> None:
    """The error ends the chunk, which is then not acknowledged, instead of becoming a `Rejected`."""
    with pytest.raises(RegistryAway):
        receive(Arrived(0, 0, b"c1", UNKNOWN, {}))


@pytest.mark.parametrize("topic", sorted(by_topic()))
def test_sink_does_not_refuse(topic: str) -> None:
    """Nor does the decoder of any topic make a refusal of it."""
    with pytest.raises(RegistryAway):
        decoders(b"key")[topic](Read(Partition("c", topic, 0), 0, 0, b"k", UNKNOWN))
