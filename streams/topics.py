"""Make the topics of `schemas/topics.yaml` on a broker, and check that those which are there are as they must be.

The partition count of a topic is fixed for the life of a cluster: keys would move to other partitions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from schemas import catalog
from streams.errors import BrokerUnavailable, WrongPartitions

TIMEOUT_S = 30.0
MAX_MESSAGE_BYTES = 16_000_000
"""Limit of topics whose records wrap others (state, dead letters, whole conversations); the broker's own is 1 MB."""

TOMBSTONES_MS = 600_000
"""How long a compacted topic keeps a tombstone at least: longer than a reader needs, far below the broker's own day."""

_WRAPPING = ("conversations", "assembly.state", "examples", "dead.letters")


def ensure_topics(admin: Any, prefix: str, partitions: int, replication: int = 1) -> list[str]:
    """Create what is missing and return its names (with prefix); calling it again changes nothing.

    Raises:
        BrokerUnavailable: nobody answers.
        WrongPartitions: a topic exists with another partition count.
    """
    there = partition_counts(admin)
    wanted = {prefix + topic.name: topic for topic in catalog.topics().values()}
    for name, topic in wanted.items():
        _check(name, there.get(name), topic.partitions or partitions)
    missing = [
        NewTopic(name, topic.partitions or partitions, replication, config=_config(topic, replication))
        for name, topic in wanted.items()
        if name not in there
    ]
    if missing:
        for name, created in admin.create_topics(missing, request_timeout=TIMEOUT_S).items():
            _await(name, created)
    return [topic.topic for topic in missing]


def partition_counts(admin: Any) -> dict[str, int]:
    """The broker's topics with their partition counts.

    Raises:
        BrokerUnavailable: nobody answers.
    """
    try:
        topics = admin.list_topics(timeout=TIMEOUT_S).topics
    except KafkaException as error:
        raise BrokerUnavailable(
            f"no broker answers: {error.args[0].str()}; start it or mend bootstrap_servers"
        ) from error
    return {name: len(topic.partitions) for name, topic in topics.items()}


def cluster_id_of(bootstrap_servers: str, options: Mapping[str, str]) -> str:
    """The cluster id that the broker has now; a client of its own, for a client keeps the first id it hears.

    Raises:
        BrokerUnavailable: nobody answers.
    """
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0, **options})
    try:
        return str(admin.list_topics(timeout=TIMEOUT_S).cluster_id)
    except KafkaException as error:
        raise BrokerUnavailable(f"no broker at {bootstrap_servers} answers: {error.args[0].str()}; start it") from error


def _config(topic: catalog.Topic, replication: int) -> dict[str, str]:
    """Its settings; what is confirmed is on two nodes at least where there are three, whatever the broker's default."""
    config = {"cleanup.policy": topic.cleanup, "retention.ms": str(topic.retention_ms)}
    config |= {"min.insync.replicas": str(max(1, replication - 1))}
    config |= {"delete.retention.ms": str(TOMBSTONES_MS)} if topic.cleanup == "compact" else {}
    return config | ({"max.message.bytes": str(MAX_MESSAGE_BYTES)} if topic.name in _WRAPPING else {})


def _check(name: str, found: int | None, wanted: int) -> None:
    if found is not None and found != wanted:
        raise WrongPartitions(
            f"topic {name} has {found} partitions, wanted {wanted}; the count is fixed for life: "
            f"set STILL_PARTITIONS={found}, or another STILL_TOPIC_PREFIX"
        )


def _await(name: str, created: Any) -> None:
    try:
        created.result()
    except KafkaException as error:
        # Another process that starts at the same time may have been quicker.
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise BrokerUnavailable(f"topic {name} cannot be made: {error.args[0].str()}") from error
