"""Topics are made once, and kept as they must be."""

from __future__ import annotations

import pytest
from confluent_kafka.admin import AdminClient

from schemas import catalog
from still.embedded.stack import Stack
from streams.errors import WrongPartitions
from streams.topics import ensure_topics, partition_counts


def test_missing_topics_are_made_and_others_left_alone(stack: Stack, topic_prefix: str) -> None:
    """The first call makes all with their partition counts, the second nothing."""
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
    assert set(ensure_topics(admin, topic_prefix, 3)) == {topic_prefix + name for name in catalog.topics()}
    assert ensure_topics(admin, topic_prefix, 3) == []
    counts = partition_counts(admin)
    assert (counts[f"{topic_prefix}conversations"], counts[f"{topic_prefix}model.events"]) == (3, 1)


def test_another_partition_count_is_refused(stack: Stack, topic_prefix: str) -> None:
    """The message names the topic, both counts and what to do."""
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
    ensure_topics(admin, topic_prefix, 2)
    with pytest.raises(
        WrongPartitions, match="has 2 partitions, wanted 5; the count is fixed for life: set partitions=2"
    ):
        ensure_topics(admin, topic_prefix, 5)
