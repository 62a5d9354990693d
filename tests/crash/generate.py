"""The publisher as a process of its own: `python -m tests.crash.generate BOOTSTRAP PREFIX JOURNAL SEED EVENTS RATE`.

Publishes the traffic of a seed through the SDK and writes each acknowledgement down. Killed and started again, it goes
on behind the last block that is acknowledged whole, and repeats what it cannot know to be there.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import NamedTuple, TextIO

from streams.errors import ProduceError
from streams.produce import Delivered, Producer, ProduceSettings
from streams.publisher import TOPIC, Publisher
from tests.crash import journal, traffic
from tests.crash.journal import Acknowledged

UNDER_WAY = 1000


class Place(NamedTuple):
    """Which record of the traffic, in its block of `length` records."""

    block: int
    position: int
    length: int


class Pending(NamedTuple):
    """A record under way."""

    place: Place
    sent: traffic.Sent
    confirmed: Future[Delivered]


class Generator:
    """Publishes records and notes what is acknowledged; what is not, it sends again."""

    def __init__(self, bootstrap_servers: str, prefix: str, notes: TextIO) -> None:
        self._publisher = Publisher(bootstrap_servers, topic_prefix=prefix)
        self._garbage = Producer(ProduceSettings(bootstrap_servers))
        self._topic = prefix + TOPIC
        self._notes = notes
        self._under_way: deque[Pending] = deque()

    def send(self, place: Place, sent: traffic.Sent) -> None:
        """Put one record under way."""
        self._under_way.append(Pending(place, sent, self._begin(sent)))
        while self._under_way and (len(self._under_way) > UNDER_WAY or self._under_way[0].confirmed.done()):
            self._settle(self._under_way.popleft())

    def finish(self) -> None:
        """Return when everything is acknowledged and written down."""
        while self._under_way:
            self._settle(self._under_way.popleft())
        self._publisher.close()
        self._garbage.close()

    def _begin(self, sent: traffic.Sent) -> Future[Delivered]:
        if sent.event is None or sent.key != sent.event.conversation_id.encode():
            return self._garbage.send(self._topic, sent.key, _value(sent))
        return self._publisher.begin(sent.event)

    def _settle(self, pending: Pending) -> None:
        while True:
            try:
                at = pending.confirmed.result()
            except ProduceError:
                pending = pending._replace(confirmed=self._begin(pending.sent))
            else:
                break
        one = Acknowledged(*pending.place, at.partition, at.offset, journal.digest(_value(pending.sent)))
        self._notes.write(journal.line(one))
        self._notes.flush()


def _value(sent: traffic.Sent) -> bytes:
    return sent.value or b""


def outstanding(path: Path, seed: int, events: int) -> Iterator[tuple[Place, traffic.Sent]]:
    """What is not acknowledged yet of the first blocks that hold `events` records together."""
    done: dict[int, set[int]] = {}
    lengths: dict[int, int] = {}
    for one in journal.read(path):
        done.setdefault(one.block, set()).add(one.position)
        lengths[one.block] = one.length
    number = count = 0
    while count < events:
        held = done.get(number, set())
        if len(held) == lengths.get(number):
            count += len(held)
        else:
            records = traffic.block(seed, number)
            count += len(records)
            for position, sent in enumerate(records):
                if position not in held:
                    yield Place(number, position, len(records)), sent
        number += 1


def main(bootstrap_servers: str, prefix: str, path: str, *numbers: str) -> None:
    """Publish until all is acknowledged, at `rate` records a second at most."""
    file = Path(path)
    seed, events, rate = int(numbers[0]), int(numbers[1]), float(numbers[2])
    journal.mend(file)
    with file.open("a", encoding="ascii") as notes:
        generator = Generator(bootstrap_servers, prefix, notes)
        due = time.monotonic()
        for place, sent in outstanding(file, seed, events):
            due += 1 / rate
            time.sleep(max(0.0, due - time.monotonic()))
            generator.send(place, sent)
        generator.finish()


if __name__ == "__main__":
    main(*sys.argv[1:])
