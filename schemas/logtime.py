"""When a record was logged: Kafka's timestamp, in microseconds that every part of ours can hold. Pure.

The timestamp is the publisher's word, and a broker may take any 64-bit number for it: nanoseconds by mistake, or a
time before the epoch. It serves freshness and time windows only, never order or identity, so that one outside the
range is brought to its nearest end and the record is handled as any other.
"""

from __future__ import annotations

LATEST_MS = 10_413_791_999_999
"""The end of 2299, which is as far as ClickHouse's DateTime64 goes; Avro's long and Python's datetime go further."""
LATEST_US = LATEST_MS * 1000


def logged_us(timestamp_ms: int) -> int:
    """Kafka's milliseconds as microseconds, from 1970 to 2299; -1, Kafka's word for none, is 1970."""
    return timestamp_ms * 1000 if 0 <= timestamp_ms <= LATEST_MS else within(timestamp_ms * 1000)


def within(time_us: int) -> int:
    """The nearest time in the range: for microseconds that were stored before there was one."""
    return min(max(time_us, 0), LATEST_US)
