"""`still worker` and `still sink` over records under Kafka timestamps that no calendar has."""

from __future__ import annotations

from collections import Counter

import pytest
from confluent_kafka import KafkaError, Message, Producer

from schemas import codec
from schemas.logtime import LATEST_US
from schemas.records import ConversationEvent
from tests.crash.commands import Place
from tests.streams.log import eventually

STAMPS_MS = (1_763_900_000_000_000, 1_763_900_000_000_000_000, 2**62, -(2**62), 1_763_900_000_000)
"""A publisher that counts in microseconds, in nanoseconds, wildly, before any epoch; and an honest one."""
WITHIN_S = 90.0


def produced(place: Place) -> list[int]:
    """Under each timestamp a whole contact and garbage; the timestamps that the broker took: Apache's refuses some."""
    producer = Producer({"bootstrap.servers": place.bootstrap_servers, "log_level": 0})
    taken: list[int] = []

    def note(error: KafkaError | None, message: Message) -> None:
        if error is None:
            taken.append(message.timestamp()[1])

    for number, stamp_ms in enumerate(STAMPS_MS):
        said = [{"role": "user", "content": "Where is my order?"}]
        talk = ConversationEvent(f"e{number}", f"c{number}", "conversation", messages=said)
        for topic, value in (
            ("conversation.events", codec.encode(talk)),
            ("conversation.events", b"\x00garbage"),
            ("scores", b"\x00garbage"),
        ):
            producer.produce(
                place.prefix + topic,
                value,
                b"c%d" % number,
                timestamp=stamp_ms,
                on_delivery=note,
            )
            assert producer.flush(30) == 0  # each in a batch of its own: a broker refuses them whole
    return taken[::3]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_no_timestamp_stops_the_stream(place: Place) -> None:
    """Each contact is a conversation and each piece of garbage a letter, once; the tables say times they can hold."""
    stamps = produced(place)
    count = len(stamps)
    assert stamps[-1] == STAMPS_MS[-1]
    assert count > 1
    with place.running("worker") as worker, place.running("sink") as sink:

        def all_landed() -> bool:
            assert (worker.poll(), sink.poll()) == (None, None)
            found = [place.count(t) for t in ("conversation_events", "conversations", "scores", "dead_letters")]
            return found == [2 * count, count, count, 2 * count]

        eventually(all_landed, WITHIN_S, "every conversation and every letter")
    found = place.rows(
        "SELECT toUnixTimestamp64Micro(_logged_at) AS logged, count() AS n FROM {db}.conversation_events"
        " GROUP BY logged ORDER BY logged"
    )
    times = Counter(min(max(0, stamp_ms * 1000), LATEST_US) for stamp_ms in stamps)
    assert [(row["logged"], row["n"]) for row in found] == [(time_us, 2 * n) for time_us, n in sorted(times.items())]
