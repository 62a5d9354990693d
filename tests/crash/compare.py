"""Whether what crashes left in the twin is what the pure functions make of its log; and how its histories are run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, Phase, settings

from schemas import codec
from sinks.decode import decoders
from sinks.tables import POSITION, by_topic
from sinks.values import Arrived, Partition, Row
from tests.crash.reference import derive
from tests.crash.twin import CLUSTER, TOPICS, Crash, CrashAt, Worker, World, sink

EVENTS = "conversation.events"
PARTITIONS = (0, 1)
SIZES = (3, 1, 7)

POINTS_OF_WORKER = [
    *("load state", "state loaded", "polled conversation.events", "polled conversations"),
    *("produce conversations", "produce dead.letters", "produce assembly.state", "produce scores", "produce examples"),
    *("produced", "settled conversation.events", "settled conversations", "commit", "committed"),
]
POINTS_OF_SINK = [
    *("leases taken", "recover", "read", "write letter", "letters written", "sink commit"),
    *("write ledger", "ledger written"),
    *(f"insert{done} {by_topic()[topic].name}" for topic in TOPICS for done in ("", "ed")),
]


def law(examples: int) -> settings:
    """So many draws, however slow the machine; without the phase that traces every line."""
    phases = [phase for phase in Phase if phase is not Phase.explain]
    return settings(max_examples=examples, phases=phases, suppress_health_check=list(HealthCheck))


def until_crash(process: Any) -> bool:
    """Whether the process crashed."""
    try:
        process()
    except Crash:
        return True
    return False


def finish(world: World) -> None:
    """Run worker and sink once more, undisturbed; the sink's own letters of its last moment want another start."""
    Worker(world, PARTITIONS, CrashAt()).run(SIZES)
    sink(world, CrashAt())
    sink(world, CrashAt())


def audit(world: World) -> list[str]:
    """Findings: a position of the log that is not there once, a derived row that is not the reference's, once."""
    landed = Counter((row["_partition"], row["_offset"]) for row in world.store.rows("conversation_events"))
    places = {(p, at): 1 for p in PARTITIONS for at in range(len(world.topics[EVENTS][p]))}
    return _differences(landed, Counter(places)) + _differences(Counter(_found(world)), Counter(_expected(world)))


def _differences(found: Counter[Any], expected: Counter[Any]) -> list[str]:
    """What is not once here and once in the reference."""
    return [
        f"{found[one]} times here, {expected[one]} in the reference: {one}"
        for one in found | expected
        if (found[one], expected[one]) != (1, 1)
    ]


def _expected(world: World) -> Iterator[str]:
    decode = decoders(b"key")
    for partition in PARTITIONS:
        for topic, record in derive(CLUSTER, partition, world.read(EVENTS, partition), world.rules):
            row = decode[topic](Arrived(Partition(CLUSTER, topic, partition), 0, 0, None, codec.encode(record)))
            assert isinstance(row, Row)
            yield _content(topic, dict(zip(by_topic()[topic].names, row.values, strict=False)))


def _found(world: World) -> Iterator[str]:
    for topic in TOPICS[1:]:
        for row in world.store.rows(by_topic()[topic].name):
            if row.get("stage") != "sink":
                yield _content(topic, row)


def _content(topic: str, row: dict[str, Any]) -> str:
    apart = {column.name for column in POSITION} | {"src_previous_offset"}
    return f"{topic} {sorted((name, repr(value)) for name, value in row.items() if name not in apart)}"
