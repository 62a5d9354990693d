"""Poison of every kind at every rate: good records and dead letters split exactly, limits stop, repairs land."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import replace

import pytest

from schemas import codec
from schemas.ceiling import Limits
from schemas.records import Conversation, ConversationEvent, DeadLetter, Outcome, Provenance, Score
from streams.chunk import Chunk, arrived_of
from streams.errors import TooManyRejected
from streams.produce import Message
from streams.replay_letters import outgoing
from streams.settings import AssembleSettings, RedactSettings
from streams.stage_assemble import AssembleStage
from streams.values import Arrived
from tests.streams.recorded_log import RecordedLog
from tests.streams.test_chunk import Record
from tests.streams.test_depth import DEPTHS, deep_call

RECORDS, TOGETHER, SEED = 1200, 150, 20261124
EVERYTHING = Limits(ratio=1.0, run=10**6)


def good(number: int) -> ConversationEvent:
    """A whole contact in one event."""
    return ConversationEvent(
        f"e{number}", f"c{number}", "conversation", messages=[{"role": "user", "content": f"hello {number}"}]
    )


def valued(event: ConversationEvent, reward: float) -> bytes:
    """The event with a reward that Avro can write, whatever it is."""
    return codec.encode(replace(event, outcome=Outcome(reward=reward)))


SCORE = codec.encode(Score("c", 1, Provenance("k", "t", 0, 1), "s", 0.5, {}))
KINDS: dict[str, Callable[[ConversationEvent, random.Random], bytes | None]] = {
    "random bytes": lambda _, chance: chance.randbytes(300),
    "truncated": lambda event, chance: codec.encode(event)[: chance.randrange(1, 30)],
    "unknown schema": lambda event, _: struct.pack(">bI", 0, 99_999) + codec.encode(event)[5:],
    "another record": lambda _event, _chance: SCORE,
    "2 MB": lambda _, chance: codec.encode(good(0)) + chance.randbytes(64) * 32_000,
    "NaN": lambda event, _: valued(event, float("nan")),
    "Inf": lambda event, _: valued(event, float("inf")),
    "invalid UTF-8": lambda event, _: codec.encode(event).replace(b"hello", b"\xff\xfe\xff\xfe\xff"),
    "null": lambda _event, _chance: None,
    "nested": lambda _event, chance: deep_call(chance.choice(DEPTHS)),
}


STAMPS_MS = (2**63 - 1, 1_763_900_000_000_000_000, 1_763_900_000_000_000, -1, -(2**63))
"""Kafka timestamps that a broker takes and no record of ours holds: they come with good records and with poison."""


def stage_on(log: RecordedLog, limits: Limits) -> AssembleStage:
    """A stage that starts from what the log holds."""
    redaction = RedactSettings(b"a key of tests, 32 bytes long...")
    return AssembleStage(log.log(), log.states, AssembleSettings(), redaction, limits)


def records(poisoned: Callable[[int], bool]) -> tuple[list[Arrived], set[int]]:
    """The log, and the offsets of its poison: the kinds in turn; three in ten have a timestamp of no use."""
    chance, kinds = random.Random(SEED), list(KINDS.values())
    log: list[Arrived] = []
    bad: set[int] = set()
    for offset in range(RECORDS):
        value: bytes | None = codec.encode(good(offset))
        if poisoned(offset):
            value = kinds[len(bad) % len(kinds)](good(offset), chance)
            bad.add(offset)
        stamp_ms = STAMPS_MS[offset % len(STAMPS_MS)] if chance.random() < 0.3 else offset
        log.append(arrived_of(Record(offset, value, stamp_ms, f"c{offset}".encode(), ())))
    return log, bad


def settle(stage: AssembleStage, log: list[Arrived], start: int = 0) -> int:
    """Chunk after chunk; the offset where the stage stopped, or the end."""
    for first in range(start, len(log), TOGETHER):
        try:
            stage.settle(Chunk("conversation.events", 0, tuple(log[first : first + TOGETHER]), 1))
        except TooManyRejected:
            return first
    return len(log)


@pytest.mark.parametrize(
    ("name", "poisoned", "stops"),
    [
        ("1 %", lambda n: n % 100 == 7, False),
        ("50 %", lambda n: n % 2 == 0, True),
        ("100 %", lambda _: True, True),
    ],
)
def test_poison_at_any_rate(name: str, poisoned: Callable[[int], bool], *, stops: bool) -> None:
    """Nothing of the tripping chunk is written; under new limits the split is exact, and each repair lands once."""
    log, bad = records(poisoned)
    kept = RecordedLog()
    stopped = settle(stage_on(kept, Limits(ratio=0.45, window=500, run=400)), log)
    assert (stopped < RECORDS) == stops, name
    assert {out.offset for out in kept.of("dead.letters", DeadLetter)} == {n for n in bad if n < stopped}
    assert settle(stage_on(kept, EVERYTHING), log, stopped) == RECORDS
    letters = kept.of("dead.letters", DeadLetter)
    assert sorted(letter.offset for letter in letters) == sorted(bad)
    assert all(letter.value == log[letter.offset].value for letter in letters)
    assert _landed(kept) == [f"c{n}" for n in range(RECORDS) if n not in bad]
    for _ in range(2):
        replays = [_again(letter, RECORDS + n) for n, letter in enumerate(letters)]
        assert settle(stage_on(kept, Limits(run=1)), replays) == len(replays)
    assert sorted(_landed(kept)) == sorted(f"c{n}" for n in range(RECORDS))
    assert len(kept.of("dead.letters", DeadLetter)) == len(bad)


def _landed(log: RecordedLog) -> list[str]:
    return [conversation.conversation_id for conversation in log.of("conversations", Conversation)]


def _again(letter: DeadLetter, offset: int) -> Arrived:
    out = outgoing(letter, "", 1, codec.encode(good(letter.offset)))
    assert isinstance(out, Message)
    return Arrived(offset, offset * 1000, out.key, out.value, dict(out.headers))
