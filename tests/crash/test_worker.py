"""kill -9 of a worker in mid-stream on a real broker: nothing lost, and after the monotone filter nothing doubled."""

from __future__ import annotations

import random
import signal
import struct
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from schemas import codec
from schemas.exits import TRIPPED
from schemas.records import Conversation, ConversationEvent, DeadLetter, Example, Provenance, Score
from still.embedded.stack import Stack
from streams.distill import distill
from streams.monotone import Monotone
from streams.settings import DistillSettings
from tests.crash.worker_process import start
from tests.streams.log import eventually, make_topics, read, write
from tests.streams.test_depth import deep_call

SEED = 20260724
CONVERSATIONS = 1200
KILLS = 2


def events_of(number: int) -> list[ConversationEvent]:
    """Two turns and, for most, a close; each tenth is left to the inactivity close."""
    id_ = f"contact-{number}"
    said = [f"Where is my order {number}?", "It left our house today."]
    turns = [
        ConversationEvent(
            event_id=f"{id_}-{index}", conversation_id=id_, kind="turn", sequence=index,
            customer_id=f"customer-{number % 97}", messages=[{"role": role, "content": text}],
        )
        for index, (role, text) in enumerate(zip(("user", "assistant"), said, strict=True))
    ]  # fmt: skip
    close = ConversationEvent(event_id=f"{id_}-end", conversation_id=id_, kind="closed", sequence=2)
    return turns if number % 10 == 0 else [*turns, close]


def poison(chance: random.Random) -> list[tuple[bytes | None, bytes | None]]:
    """Records of several kinds that no stage can take."""
    good = codec.encode(events_of(0)[0])
    return [
        (b"p1", chance.randbytes(300)),
        (b"p2", b""),
        (b"p3", None),
        (b"p4", good[: len(good) // 2]),
        (b"p5", struct.pack(">bI", 0, 99_999) + good[5:]),
        (b"another key", good),
        (b"p7", good + b"tail"),
        (b"p8", struct.pack(">bI", 0, 101) + chance.randbytes(1_200_000)),
        (b"p9", deep_call()),
    ]


def records(chance: random.Random) -> list[tuple[bytes | None, bytes | None]]:
    """All contacts' events interleaved, each contact's in order, with poison in between."""
    waiting = [[(e.conversation_id.encode(), codec.encode(e)) for e in events_of(n)] for n in range(CONVERSATIONS)]
    mixed: list[tuple[bytes | None, bytes | None]] = []
    open_ = waiting[:50]
    rest = iter(waiting[50:])
    while open_:
        at = chance.randrange(len(open_))
        mixed.append(open_[at].pop(0))
        if not open_[at]:
            open_.pop(at)
            open_ += [more] if (more := next(rest, None)) is not None else []
    for bad in poison(chance):
        mixed.insert(chance.randrange(len(mixed)), bad)
    return mixed


def once(records_: Iterable[tuple[int, Any]]) -> list[Any]:
    """What a sink keeps of a derived topic: per partition, whatever is above the mark."""
    marks: dict[int, Monotone] = {}
    return [
        record for partition, record in records_ if marks.setdefault(partition, Monotone()).is_new(record.provenance)
    ]


def decoded(stack: Stack, topic: str, kind: Any) -> list[tuple[int, Any]]:
    """A topic's records with their partitions."""
    return [(m.partition(), codec.decode(m.value(), kind)) for m in read(stack.bootstrap_servers, topic)]


def rooted(provenance: Provenance) -> tuple[int, int, int]:
    """Where a derived record comes from."""
    return provenance.partition, provenance.offset, provenance.index


@pytest.mark.timeout(240)
def test_nothing_is_lost_or_doubled_by_kill_9(stack: Stack, topic_prefix: str, tmp_path: Path) -> None:
    """Every contact is assembled, scored and cut exactly once after the filter; every poison has its letter."""
    chance = random.Random(SEED)
    make_topics(stack.bootstrap_servers, topic_prefix)
    write(stack.bootstrap_servers, f"{topic_prefix}conversation.events", records(chance))
    for _ in range(KILLS):
        worker = start(stack.bootstrap_servers, topic_prefix, tmp_path)
        time.sleep(chance.uniform(0.2, 1.5))
        assert worker.poll() is None, (tmp_path / "worker.log").read_text()[-3000:]
        worker.kill()
        worker.wait()
    worker = start(stack.bootstrap_servers, topic_prefix, tmp_path)

    def all_scored() -> bool:
        scores = decoded(stack, f"{topic_prefix}scores", Score)
        return worker.poll() is not None or len({score.conversation_id for _, score in scores}) == CONVERSATIONS

    eventually(all_scored, 60, "a score of every conversation")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=10) == 0, (tmp_path / "worker.log").read_text()[-3000:]
    audit(stack, topic_prefix)


def audit(stack: Stack, prefix: str) -> None:
    """The whole log, record by record."""
    conversations = once(decoded(stack, f"{prefix}conversations", Conversation))
    assert Counter(c.conversation_id for c in conversations) == {f"contact-{n}": 1 for n in range(CONVERSATIONS)}
    assert all(len(c.messages) == 2 and c.revision == 1 for c in conversations)
    scores = once(decoded(stack, f"{prefix}scores", Score))
    assert {rooted(s.provenance) for s in scores} == {rooted(c.provenance) for c in conversations}
    assert len(scores) == CONVERSATIONS
    expected = {e.example_id for c in conversations for e in distill(c, DistillSettings(), None).examples}
    examples = once(decoded(stack, f"{prefix}examples", Example))
    assert len(examples) == len(expected) > 0
    assert {example.example_id for example in examples} == expected
    letters = [letter for _, letter in decoded(stack, f"{prefix}dead.letters", DeadLetter)]
    assert {letter.key for letter in letters} == {key for key, _ in poison(random.Random(SEED))}
    assert len({letter.dead_letter_id for letter in letters}) == len(poison(random.Random(SEED)))


@pytest.mark.slow
def test_a_worker_that_refuses_everything_stops(stack: Stack, topic_prefix: str, tmp_path: Path) -> None:
    """The run ceiling ends the process with status 78 and a reason, and no letter of the chunk is written."""
    make_topics(stack.bootstrap_servers, topic_prefix)
    write(stack.bootstrap_servers, f"{topic_prefix}conversation.events", [(b"one key", b"?")] * 1500)
    worker = start(stack.bootstrap_servers, topic_prefix, tmp_path)
    assert worker.wait(timeout=20) == TRIPPED
    assert "refused the last 1000 records in a row" in (tmp_path / "worker.log").read_text()
    assert read(stack.bootstrap_servers, f"{topic_prefix}dead.letters") == []


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_second_worker_takes_over_and_gives_back(stack: Stack, topic_prefix: str, tmp_path: Path) -> None:
    """Two workers share and hand over partitions; contacts come out whole, each revision once."""
    make_topics(stack.bootstrap_servers, topic_prefix)
    events = f"{topic_prefix}conversation.events"
    closed = [n for n in range(300) if n % 10]
    written = [[(e.conversation_id.encode(), codec.encode(e)) for e in events_of(n)] for n in closed]
    first = [turns[0] for turns in written]
    rest = [record for turns in written for record in turns[1:]]
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    write(stack.bootstrap_servers, events, first)
    workers = [start(stack.bootstrap_servers, topic_prefix, folder) for folder in folders]
    write(stack.bootstrap_servers, events, rest[: len(rest) // 2])
    workers[0].send_signal(signal.SIGTERM)
    assert workers[0].wait(timeout=10) == 0
    write(stack.bootstrap_servers, events, rest[len(rest) // 2 :])

    def newest() -> dict[str, Conversation]:
        return {c.conversation_id: c for c in once(decoded(stack, f"{topic_prefix}conversations", Conversation))}

    def all_whole() -> bool:
        found = newest().values()
        return workers[1].poll() is not None or (len(found) == len(closed) and all(len(c.messages) == 2 for c in found))

    eventually(all_whole, 60, "the newest revision of every conversation with both turns")
    workers[1].send_signal(signal.SIGTERM)
    assert workers[1].wait(timeout=10) == 0
    assert set(newest()) == {f"contact-{n}" for n in closed}
    landed = once(decoded(stack, f"{topic_prefix}conversations", Conversation))
    assert set(Counter((c.conversation_id, c.revision) for c in landed).values()) == {1}
