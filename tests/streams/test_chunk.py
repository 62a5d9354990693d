"""Fetches are cut into chunks bounded by bytes and count."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.logtime import LATEST_US
from streams.chunk import CHUNK_BYTES, MAX_BYTES, MAX_RECORDS, RECORD_BYTES, cut


@dataclass
class Record:
    """What aiokafka hands out, as far as it matters here."""

    offset: int
    value: bytes | None
    timestamp: int = 1_700_000_000_123
    key: bytes | None = b"k"
    headers: tuple[tuple[str, bytes], ...] = (("content-type", b"application/json"),)


@given(st.lists(st.integers(0, 3 * MAX_BYTES // 2), max_size=12))
def test_chunks_are_the_fetch_in_order_and_bounded(sizes: list[int]) -> None:
    """Every record is in exactly one chunk, in order; only a single large record may exceed the limit."""
    chunks = list(cut("t", 3, [Record(10 + index, bytes(size)) for index, size in enumerate(sizes)]))
    assert [arrived.offset for chunk in chunks for arrived in chunk.arrived] == list(range(10, 10 + len(sizes)))
    assert all(chunk.bytes <= MAX_BYTES or len(chunk.arrived) == 1 for chunk in chunks)


def test_many_small_records_make_several_chunks() -> None:
    """A chunk holds at most MAX_RECORDS records, and names its first offset and the one after its last."""
    chunks = list(cut("t", 0, [Record(offset, b"") for offset in range(MAX_RECORDS + 1)]))
    assert [(chunk.first, chunk.end) for chunk in chunks] == [(0, MAX_RECORDS), (MAX_RECORDS, MAX_RECORDS + 1)]


def test_a_chunk_of_one_record_counts_what_it_costs() -> None:
    """Bytes alone bound what waits for a stage, so that records that trickle in must count for more than themselves."""
    (chunk,) = cut("t", 0, [Record(0, b"value")])
    assert chunk.bytes == CHUNK_BYTES + RECORD_BYTES + len(b"value")


def test_milliseconds_become_microseconds_and_headers_a_mapping() -> None:
    """A record keeps its time, key, headers and absent value."""
    (chunk,) = cut("t", 0, [Record(1, None)])
    (arrived,) = chunk.arrived
    assert (arrived.timestamp_us, arrived.value, arrived.key) == (1_700_000_000_123_000, None, b"k")
    assert arrived.headers == {"content-type": b"application/json"}


@pytest.mark.parametrize("timestamp", [2**63 - 1, 1_763_900_000_000_000_000, -1, -(2**63)])
@pytest.mark.parametrize("headers", [(), (("content-type", b"application/json"),)])
def test_a_timestamp_that_no_record_holds_is_brought_near(
    timestamp: int, headers: tuple[tuple[str, bytes], ...]
) -> None:
    """Kafka takes any 64-bit number; state and letters must be able to say it."""
    (chunk,) = cut("t", 0, [Record(1, b"v", timestamp, headers=headers)])
    assert chunk.arrived[0].timestamp_us in (0, LATEST_US)
    assert chunk.arrived[0].value == b"v"
