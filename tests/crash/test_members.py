"""`still worker` without a name, twice on one cluster: two members, each the same after a kill -9."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from still.commands.worker import instance_of
from still.embedded.stack import Stack
from tests.crash.commands import Place
from tests.streams.log import eventually

WITHIN_S = 60.0


def members(place: Place) -> dict[str, set[str]]:
    """The partitions of each member of the workers' group, by the member's static name."""
    admin = AdminClient({"bootstrap.servers": place.bootstrap_servers, "log_level": 0})
    group = f"{place.prefix}still.worker"
    found = admin.describe_consumer_groups([group])[group].result()
    return {
        member.group_instance_id: {f"{tp.topic}[{tp.partition}]" for tp in member.assignment.topic_partitions}
        for member in found.members
    }


@pytest.mark.slow
@pytest.mark.apache
@pytest.mark.timeout(300)
@pytest.mark.parametrize("stack", ["apache"], indirect=True)
def test_workers_without_a_name_share_and_come_back(
    stack: Stack, topic_prefix: str, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither throws the other out; one that was killed has its partitions again, and no third member appears."""
    places = [
        Place(stack.bootstrap_servers, topic_prefix, stack.clickhouse_url, database, tmp_path / name) for name in "ab"
    ]
    places[0].prepare(monkeypatch)
    names = {instance_of(place.folder) for place in places}
    with ExitStack() as both:
        first, second = [both.enter_context(place.running("worker")) for place in places]
        eventually(lambda: members(places[0]).keys() == names and all(members(places[0]).values()), WITHIN_S, "a share")
        before = members(places[0])
        second.kill()
        second.wait()
        with places[1].running("worker") as again:
            eventually(lambda: members(places[0]) == before, WITHIN_S, "the same shares")
            assert [first.poll(), again.poll()] == [None, None]
