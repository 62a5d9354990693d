"""A letter goes to the partition number of its source, whatever the topic was when the sink last wrote one."""

from __future__ import annotations

from threading import Event

import pytest
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from schemas.codec import decode
from schemas.records import DeadLetter
from sinks.buffer import letter_of
from sinks.dead_letters import KafkaDeadLetters
from sinks.errors import BrokerUnavailable
from sinks.settings import SinkSettings
from sinks.values import Partition, Refused
from still.embedded.stack import Stack
from tests.sinks.made import arrived, example
from tests.streams.log import eventually, read


def _letters(first: int) -> list[DeadLetter]:
    """One each of the source partitions 0 to 3; `first` makes them others than those of another call."""
    return [
        letter_of(
            arrived(example(first + number), first + number, Partition("c", "examples", number)),
            Refused("rejected", "by a test"),
        )
        for number in range(4)
    ]


def _places(stack: Stack, topic: str) -> dict[str, int]:
    """Where each letter lies."""
    found = {}
    for message in read(stack.bootstrap_servers, topic):
        letter = decode(message.value(), DeadLetter)
        found[letter.dead_letter_id] = message.partition()
    return found


@pytest.fixture(name="admin")
def _admin(stack: Stack) -> AdminClient:
    """Makes and drops topics."""
    return AdminClient({"bootstrap.servers": stack.bootstrap_servers, "log_level": 0})


def test_a_topic_that_is_made_late_gets_all_its_partitions(stack: Stack, topic_prefix: str, admin: AdminClient) -> None:
    """Before `still init` nothing is written, and the error says so; after it each letter lies where it belongs."""
    topic = f"{topic_prefix}dead.letters"
    dead_letters = KafkaDeadLetters(SinkSettings(stack.bootstrap_servers, topic_prefix))
    letters = _letters(0)
    with pytest.raises(BrokerUnavailable, match=rf"there is no topic {topic}; run `still init`"):
        dead_letters.write(letters, Event())
    admin.create_topics([NewTopic(topic, 4, 1)])[topic].result()
    eventually(lambda: _written(dead_letters, letters), 30, "the letters are written")
    assert _places(stack, topic) == {letter.dead_letter_id: letter.partition for letter in letters}


@pytest.mark.parametrize(("before", "after"), [(4, 2), (2, 4)])
def test_another_partition_count_is_noticed(
    stack: Stack, topic_prefix: str, admin: AdminClient, before: int, after: int
) -> None:
    """The topic goes, as all do with a memory-only broker, and is made anew with another count."""
    topic = f"{topic_prefix}dead.letters"
    dead_letters = KafkaDeadLetters(SinkSettings(stack.bootstrap_servers, topic_prefix))
    admin.create_topics([NewTopic(topic, before, 1)])[topic].result()
    dead_letters.write(_letters(0), Event())
    admin.delete_topics([topic])[topic].result()
    admin.create_topics([NewTopic(topic, after, 1)])[topic].result()
    letters = _letters(100)
    eventually(lambda: _written(dead_letters, letters), 60, "the letters are written")
    assert _places(stack, topic) == {letter.dead_letter_id: letter.partition % after for letter in letters}


def _written(dead_letters: KafkaDeadLetters, letters: list[DeadLetter]) -> bool:
    """As the sink does: again, while the client still thinks that the topic is as it was."""
    try:
        dead_letters.write(letters, Event())
    except BrokerUnavailable:
        return False
    return True
