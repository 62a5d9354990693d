"""Records that the sink's tests land: small, valid, told apart by a number."""

from __future__ import annotations

import threading

from schemas.codec import encode
from schemas.records import Example, Provenance, Record, Split
from sinks.buffer import Batch
from sinks.decode import decoders
from sinks.memory import MemoryStore
from sinks.tables import table
from sinks.values import Arrived, Block, Partition, Row

CLUSTER = "cluster-1"
EXAMPLES = Partition(CLUSTER, "examples", 0)


def example(
    number: int, *, index: int = 0, partition: int = 0, attempt: int = 0, revision: int = 1, split: Split = "train"
) -> Example:
    """Example `number` of conversation `number`, cut from source offset `number`."""
    return Example(
        example_id=f"example-{number}-{index}-{revision}",
        task="intent",
        conversation_id=f"conversation-{number}",
        revision=revision,
        turn=index,
        provenance=Provenance("root-1", "conversation.events", partition, number, index, number - 1, attempt),
        input=[{"role": "user", "content": f"where is order {number}"}],
        target="order_status",
        label_set="shop",
        label_source="teacher",
        label="order_status",
        difficulty="easy",
        language="en",
        origin="production",
        bucket="intent/order_status/easy/en/production",
        split=split,
        admitted=True,
        reasons=("quality",),
        decomposer="rules-1",
        text_hash="00",
        occurred_at=1_700_000_000_000_000,
    )


def arrived(value: Record | bytes, offset: int, partition: Partition = EXAMPLES) -> Arrived:
    """The Kafka record that carries a value."""
    data = value if isinstance(value, bytes) else encode(value)
    return Arrived(partition, offset, 1_700_000_000_000_000 + offset, b"key", data)


def batch_of(count: int) -> Batch:
    """Examples 0, 1, ... as the sink has read them."""
    batch = Batch(table("examples"))
    for offset in range(count):
        record = arrived(example(offset), offset)
        row = decoders(b"key")["examples"](record)
        assert isinstance(row, Row)
        batch.add(record, row)
    return batch


class FrozenStore(MemoryStore):
    """A store whose inserts wait until they are let go, a minute at most."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = threading.Event()

    def insert(self, block: Block) -> None:
        """Lands the block late."""
        assert self.goes_on.wait(60)
        super().insert(block)
