"""The text of a lease: whose topic it is for, which partition, the how-manieth it is, and who holds it."""

from __future__ import annotations

from collections.abc import Mapping

from sinks.errors import Misconfigured
from sinks.values import Partition


def lease_of(partition: Partition, epoch: int, holder: str, topic_prefix: str) -> str:
    """As rows carry it: `acme.examples/3@7:4f1d`, where `acme.` is the prefix of the deployment."""
    return f"{topic_prefix}{partition.topic}/{partition.number}@{epoch}:{holder}"


def see_one_prefix(topic_prefix: str, newest: Mapping[Partition, str]) -> None:
    """See that the newest lease of each partition, as far as there is one, is for our topics.

    Rows and ledger tell records apart by cluster, partition and offset alone: those of a second deployment on the same
    cluster and database would pass for landed, and be lost.

    Raises:
        Misconfigured: it is for those of another prefix.
    """
    for partition, lease in newest.items():
        theirs, _, _ = lease.rpartition(f"{partition.topic}/{partition.number}@")
        if theirs != topic_prefix:
            raise Misconfigured(
                f"this database holds topic {theirs + partition.topic!r} of cluster {partition.cluster}, and cannot"
                f" take {topic_prefix + partition.topic!r} too: set STILL_DATABASE to another one, or"
                f" STILL_TOPIC_PREFIX to {theirs!r}"
            )
