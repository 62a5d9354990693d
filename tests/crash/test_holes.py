"""A real worker at a hole: it ends with an alarm that names the place, at every start, until a person names it too."""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest
from confluent_kafka import Consumer, TopicPartition

from schemas import codec
from schemas.exits import FAIL_STOP
from schemas.records import Conversation, Example, Score
from still.embedded.stack import Stack
from streams.monotone import place_of
from streams.produce import Producer, ProduceSettings
from streams.values import Arrived
from tests.crash import traffic
from tests.crash.commands import Place
from tests.crash.reference import derive
from tests.crash.twin import RULES
from tests.streams.log import eventually, read

TOPIC = "conversations"
PARTITION = 2
WITHIN_S = 90.0


class Broken(NamedTuple):
    """What assemble makes of a log, and the conversation of it that is missing in the topic."""

    before: list[Conversation]
    missing: Conversation
    behind: list[Conversation]
    examples: list[str]

    @property
    def alarm(self) -> str:
        """What a worker must say of it."""
        first, root = self.behind[0].provenance, f"conversation.events[{PARTITION}]"
        return (
            f"record of {root} offset {first.offset} follows offset {self.missing.provenance.offset},"
            f" but {self.before[-1].provenance.offset} is the last one here"
        )


@pytest.fixture(name="broken")
def _broken(stack: Stack) -> Broken:
    """Some contacts of the long tier's traffic, with the provenance that assemble gives them."""
    sent = [one for number in range(20) for one in traffic.contact(3, number)]
    values = [one.garbage if one.event is None else codec.encode(one.event) for one in sent]
    log = [Arrived(at, at, one.key, value) for at, (one, value) in enumerate(zip(sent, values, strict=True))]
    derived = [record for _, record in derive(stack.cluster_id, PARTITION, log, RULES)]
    conversations = [record for record in derived if isinstance(record, Conversation)]
    missing = conversations[4]
    examples = [record.example_id for record in derived if isinstance(record, Example) and not _is_of(record, missing)]
    return Broken(conversations[:4], missing, conversations[5:], sorted(examples))


def _is_of(example: Example, conversation: Conversation) -> bool:
    return example.provenance.offset == conversation.provenance.offset


def append(place: Place, conversations: list[Conversation]) -> None:
    """Write them to their partition, in order."""
    producer = Producer(ProduceSettings(place.bootstrap_servers))
    batch = producer.batch()
    for one in conversations:
        batch.send(place.prefix + TOPIC, one.conversation_id.encode(), codec.encode(one), (), PARTITION)
    batch.confirm().result()
    producer.close()


def group_of(place: Place) -> Consumer:
    """A client of the worker's group, which joins it not."""
    group = f"{place.prefix}still.worker"
    return Consumer({"bootstrap.servers": place.bootstrap_servers, "group.id": group, "enable.auto.commit": False})


def committed(place: Place) -> int:
    """How many conversations the worker's group has acknowledged."""
    consumer = group_of(place)
    (found,) = consumer.committed([TopicPartition(place.prefix + TOPIC, PARTITION)], timeout=30)
    consumer.close()
    return max(0, int(found.offset))


def acknowledge(place: Place, count: int) -> None:
    """Let the group have acknowledged so many, as a worker of before did."""
    consumer = group_of(place)
    consumer.commit(offsets=[TopicPartition(place.prefix + TOPIC, PARTITION, count)], asynchronous=False)
    consumer.close()


def alarms(place: Place, broken: Broken) -> list[str]:
    """What every worker said at its end: each time topic, partition and place in it, and both offsets of the root."""
    lines = place.log("worker").read_text(encoding="utf-8").splitlines()
    said = [one for line in lines if line.startswith("{") and (one := json.loads(line))["event"] == "fail_stop"]
    for one in said:
        assert (one["topic"], one["partition"], one["first"]) == (TOPIC, PARTITION, len(broken.before))
        assert one["reason"].startswith(broken.alarm)
    return [one["reason"] for one in said]


def scored(place: Place) -> list[int]:
    """The roots of all scores in the log, in its order: what a worker has let pass."""
    messages = read(place.bootstrap_servers, f"{place.prefix}scores")
    return [codec.decode(message.value(), Score).provenance.offset for message in messages]


@pytest.mark.timeout(300)
def test_a_start_behind_a_hole_alarms_and_takes_what_is_named(place: Place, broken: Broken) -> None:
    """The first record of its first chunk is behind the hole: status 70, nothing passes; named, all does, once."""
    append(place, broken.before + broken.behind)
    acknowledge(place, len(broken.before))
    with place.running("worker") as worker:
        assert worker.wait(WITHIN_S) == FAIL_STOP
    assert len(alarms(place, broken)) == 1
    assert scored(place) == []
    with place.running("worker", {"STILL_ACCEPT_GAP": place_of(broken.behind[0].provenance)}):
        eventually(lambda: committed(place) == len(broken.before + broken.behind), WITHIN_S, "the acknowledgement")
    assert scored(place) == _roots(broken.behind)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_worker_stops_at_a_hole_at_every_start_until_it_is_named(place: Place, broken: Broken) -> None:
    """It meets the hole while it runs, then as the first record of its first chunk; named, all behind it lands once."""
    append(place, broken.before)
    with place.running("worker") as worker:
        eventually(lambda: committed(place) == len(broken.before), WITHIN_S, "what is whole, acknowledged")
        append(place, broken.behind)
        assert worker.wait(WITHIN_S) == FAIL_STOP
    with place.running("worker") as worker:
        assert worker.wait(WITHIN_S) == FAIL_STOP
    other = {"STILL_ACCEPT_GAP": place_of(broken.behind[1].provenance)}
    with place.running("worker", other) as worker:
        assert worker.wait(WITHIN_S) == FAIL_STOP
    told = alarms(place, broken)
    assert len(told) == 3
    assert committed(place) == len(broken.before)
    assert scored(place) == _roots(broken.before)

    name = place_of(broken.behind[0].provenance)
    assert all(f"STILL_ACCEPT_GAP='{name}'" in reason for reason in told)
    with place.running("worker", {"STILL_ACCEPT_GAP": name}), place.running("sink"):
        landed = broken.before + broken.behind
        eventually(lambda: place.count("scores") >= len(landed), WITHIN_S, "what lies behind the hole")
        eventually(lambda: place.count("conversations") >= len(landed), WITHIN_S, "the conversations themselves")
        eventually(lambda: place.count("examples") >= len(broken.examples), WITHIN_S, "its examples")
        eventually(lambda: committed(place) == len(landed), WITHIN_S, "its acknowledgement")
    assert "gap_accepted" in place.log("worker").read_text(encoding="utf-8")
    assert scored(place) == _roots(landed)
    _audit(place, broken)


def _audit(place: Place, broken: Broken) -> None:
    """All but the missing conversation is in the tables, each once."""
    roots = _roots(broken.before + broken.behind)
    for table in ("conversations", "scores"):
        found = place.rows(f"SELECT src_offset AS n FROM {{db}}.{table} ORDER BY n")
        assert [row["n"] for row in found] == roots, table
    found = place.rows("SELECT example_id AS id FROM {db}.examples ORDER BY id")
    assert [row["id"] for row in found] == broken.examples


def _roots(conversations: list[Conversation]) -> list[int]:
    return [one.provenance.offset for one in conversations]
