"""A topic of dead letters that takes none: worker and sink acknowledge nothing, and go on when it does again."""

from __future__ import annotations

import random

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
)

from schemas import codec
from schemas.exits import FAIL_STOP
from schemas.records import ConversationEvent, DeadLetter
from streams.partition import partition_of
from tests.crash.commands import Place
from tests.streams.log import PARTITIONS, eventually, read, write

EVENTS = "conversation.events"
KEY = b"contact-1"
WITHIN_S = 90.0


def limit_letters(place: Place, size: int) -> None:
    """The largest message that the topic of letters takes."""
    topic = ConfigResource(
        ConfigResource.Type.TOPIC,
        place.prefix + "dead.letters",
        incremental_configs=[
            ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET),
            ConfigEntry("compression.type", "uncompressed", incremental_operation=AlterConfigOpType.SET),
        ],
    )
    admin = AdminClient({"bootstrap.servers": place.bootstrap_servers, "log_level": 0})
    for done in admin.incremental_alter_configs([topic]).values():
        done.result()


def committed(place: Place) -> int:
    """What the worker has acknowledged of the partition of the poison; -1001 = nothing."""
    admin = AdminClient({"bootstrap.servers": place.bootstrap_servers, "log_level": 0})
    where = TopicPartition(place.prefix + EVENTS, partition_of(KEY, PARTITIONS))
    group = place.prefix + "still.worker"
    found = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group, [where])])[group].result()
    return int(found.topic_partitions[0].offset)


@pytest.mark.slow
@pytest.mark.apache
@pytest.mark.timeout(400)
@pytest.mark.parametrize("stack", ["apache"], indirect=True)
def test_nothing_is_acknowledged_while_letters_are_refused(place: Place) -> None:
    """The worker ends with status 70, the sink holds; with a larger topic both land letters and what lay behind."""
    limit_letters(place, 100_000)
    talk = ConversationEvent("e", "contact-1", "conversation", messages=[{"role": "user", "content": "Hello"}])
    noise = random.Random(1).randbytes(500_000)
    write(place.bootstrap_servers, place.prefix + EVENTS, [(KEY, b"\x00" + noise), (KEY, codec.encode(talk))])
    write(place.bootstrap_servers, place.prefix + "scores", [(KEY, b"\x00" + noise)])
    for _ in range(2):
        assert place.start("worker").wait(WITHIN_S) == FAIL_STOP
        assert committed(place) < 1
    assert "refused a message" in place.log("worker").read_text()
    with place.running("sink") as sink:
        eventually(lambda: "dead letters were not confirmed" in place.log("sink").read_text(), WITHIN_S, "a retry")
        assert sink.poll() is None
        assert read(place.bootstrap_servers, place.prefix + "dead.letters") == []
        assert place.count("sink_marks WHERE topic = 'scores' AND last >= 0") == 0
        limit_letters(place, 16_000_000)
        with place.running("worker"):
            eventually(lambda: place.count("dead_letters") == 2, WITHIN_S, "both letters")
            eventually(lambda: place.count("conversations") == 1, WITHIN_S, "the conversation behind the poison")
            eventually(lambda: committed(place) == 2, WITHIN_S, "the acknowledgement")
    letters = [
        codec.decode(m.value(), DeadLetter) for m in read(place.bootstrap_servers, place.prefix + "dead.letters")
    ]
    assert {(letter.stage, letter.value) for letter in letters} == {
        ("assemble", b"\x00" + noise), ("sink", b"\x00" + noise),
    }  # fmt: skip
