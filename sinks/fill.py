"""From records as they were read to a batch: decode what has not landed, many at once, and judge all in their order.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sinks.buffer import Batch
from sinks.decode_columns import DecodeMany
from sinks.deduplicate import Deduplicator
from sinks.values import Arrived, Partition, Refused


def fill(
    batch: Batch, records: Sequence[Arrived], deduplicators: Mapping[Partition, Deduplicator], decode: DecodeMany
) -> None:
    """Put records of one topic, in order per partition, into the batch, and note how far it gets with them.

    A record that has landed moves its source's mark, so that no record may be judged before those in front of it.
    """
    new = [record for record in records if not deduplicators[record.partition].knows(record.offset)]
    rows = dict(zip(((record.partition, record.offset) for record in new), decode(new), strict=True))
    for record in records:
        deduplicator = deduplicators[record.partition]
        batch.cover(record)
        if deduplicator.is_landed(record.offset):
            continue
        row = rows[record.partition, record.offset]
        if isinstance(row, Refused):
            batch.refuse(record, row)
        elif not deduplicator.is_repeated(row):
            batch.add(record, row)
    for partition in {record.partition for record in records}:
        batch.mark(partition, deduplicators[partition].moved())
