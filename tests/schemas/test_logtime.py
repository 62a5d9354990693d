"""Whatever a broker took for a time becomes one that Avro, ClickHouse and Python hold."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from schemas import codec
from schemas.logtime import LATEST_MS, LATEST_US, logged_us, within
from schemas.records import AssemblyState


@given(st.integers(-(2**63), 2**63 - 1))
@example(-1)
@example(1_763_900_000_000_000_000)
@example(-(2**62))
def test_any_timestamp_fits(timestamp_ms: int) -> None:
    """In the range it is kept to the millisecond, beyond it is the nearest end; records and datetimes hold it."""
    time_us = logged_us(timestamp_ms)
    assert time_us == (timestamp_ms * 1000 if 0 <= timestamp_ms <= LATEST_MS else 0 if timestamp_ms < 0 else LATEST_US)
    assert within(timestamp_ms) == min(max(timestamp_ms, 0), LATEST_US)
    state = AssemblyState("c", "k", 0, 0, "open", 0, time_us)
    assert codec.decode(codec.encode(state), AssemblyState) == state
    assert 1970 <= datetime.fromtimestamp(time_us / 1e6, UTC).year <= 2299
