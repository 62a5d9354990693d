"""Topics are made once, and kept as they must be."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

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
        WrongPartitions, match="has 2 partitions, wanted 5; the count is fixed for life: set STILL_PARTITIONS=2"
    ):
        ensure_topics(admin, topic_prefix, 5)


def test_what_is_confirmed_lies_on_two_of_three_nodes() -> None:
    """The in-sync minimum is ours, not the broker's default of one; a single node can hold no more than one."""
    asked: list[NewTopic] = []

    def create_topics(topics: list[NewTopic], request_timeout: float) -> dict[str, Any]:
        assert request_timeout > 0
        asked.extend(topics)
        return {}

    admin = SimpleNamespace(list_topics=lambda **_: SimpleNamespace(topics={}), create_topics=create_topics)
    for replication in (1, 2, 3):
        ensure_topics(admin, "", 4, replication)
    found = {(new.replication_factor, (new.config or {})["min.insync.replicas"]) for new in asked}
    assert found == {(1, "1"), (2, "1"), (3, "2")}
