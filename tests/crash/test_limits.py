"""At the limits of assembly: contacts side by side that do not fit, what comes late, what contradicts, and crashes."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import codec
from schemas.records import Conversation, ConversationEvent, DeadLetter, Feedback
from streams.deliver import Outgoing
from streams.settings import AssembleSettings
from tests.crash import traffic
from tests.crash.compare import EVENTS, PARTITIONS, POINTS_OF_SINK, POINTS_OF_WORKER, audit, finish, law, until_crash
from tests.crash.traffic import Sent
from tests.crash.twin import RULES, CrashAt, Worker, World, sink

pytestmark = [pytest.mark.timeout(600), pytest.mark.usefixtures("quiet")]

SECOND = 1_000_000
CONTACTS = 12
AT_ONCE = 7
WRITES = ["produce assembly.state", "produce dead.letters"]


def limits(largest: int, full: int, retain_s: int = 5, markers: int = 20_000) -> AssembleSettings:
    """Room for conversations of `largest` bytes and for `full` bytes of open ones."""
    return AssembleSettings(10 * SECOND, retain_s * SECOND, full, 900, largest, markers)


LIMITS = {
    "tiny": limits(900, 1500),
    "full": limits(1400, 3000),
    "one": limits(3000, 3000),
    "hasty": limits(100_000, 100_000),
    # With fewer markers than the partition's clock asks conversations nothing may hang on that clock.
    "forgetful": limits(900, 1500, 10_000, markers=1),
    "hardly forgetful": limits(3000, 3000, 10_000, markers=3),
}


def crowd(seed: int, settings: AssembleSettings) -> World:
    """A log on two partitions of contacts side by side; of each some events come twice, contradicted, or too late."""
    chance = random.Random(seed)
    world = World(rules=RULES._replace(assemble=settings))
    waiting = [(number % len(PARTITIONS), _contact(chance, seed, number)[::-1]) for number in range(CONTACTS)]
    while waiting:
        partition, rest = waiting[chance.randrange(min(len(waiting), AT_ONCE))]
        sent = rest.pop()
        world.append([Outgoing(EVENTS, partition, sent.key, sent.value)])
        waiting = [(number, rest) for number, rest in waiting if rest]
    return world


def _contact(chance: random.Random, seed: int, number: int) -> list[Sent]:
    sent = traffic.contact(seed, number)
    again = [one for one in sent if chance.random() < 0.1]
    against = [other for one in sent if chance.random() < 0.1 for other in traffic.contradicted(one)]
    late = [_late(sent[-1].event, count) for count in range(chance.randint(0, 2)) if sent[-1].event is not None]
    return [*sent, *again, *against, *late]


def _late(last: ConversationEvent, count: int) -> Sent:
    id_, thumb = last.conversation_id, Feedback("thumbs", "boolean", value=True)
    return Sent(id_.encode(), ConversationEvent(f"{id_}-late-{count}", id_, "feedback", feedback=thumb))


def test_the_crowd_meets_every_limit() -> None:
    """The law below sees letters of every such reason, and later revisions."""
    reasons: set[str] = set()
    revisions: set[int] = set()
    for seed in range(6):
        for settings in LIMITS.values():
            world = crowd(seed, settings)
            Worker(world, PARTITIONS, CrashAt()).run([5])
            reasons |= {letter.reason for letter in _written(world, "dead.letters", DeadLetter)}
            revisions |= {conversation.revision for conversation in _written(world, "conversations", Conversation)}
    assert reasons >= {"assembly_full", "conversation_too_large", "too_late", "conflicting_event"}
    assert revisions >= {1, 2}


def _written(world: World, topic: str, kind: Any) -> list[Any]:
    return [codec.decode(out.value or b"", kind) for partition in world.topics[topic].values() for out in partition]


@pytest.mark.parametrize("name", ["full", "forgetful"])
@pytest.mark.parametrize("point", WRITES)
def test_a_death_at_any_write_of_a_crowd_gives_the_reference(point: str, name: str) -> None:
    """At each single record in turn; the next worker cuts its chunks otherwise, and dies too, a little later."""
    calm = CrashAt()
    Worker(crowd(3, LIMITS[name]), PARTITIONS, calm).run([6])
    assert calm.seen[point] > 1
    for count in range(1, calm.seen[point] + 1):
        world = crowd(3, LIMITS[name])
        crash = CrashAt(point, count)
        assert until_crash(lambda crash=crash, world=world: Worker(world, PARTITIONS, crash).run([6], 3))
        again = CrashAt("produce assembly.state", 3 + count % 9)
        until_crash(lambda again=again, world=world: Worker(world, PARTITIONS, again).run([4, 2], 9))
        finish(world)
        assert audit(world) == [], count


def test_a_conversation_that_one_chunk_closes_and_forgets_does_not_come_back() -> None:
    """The worker dies before the tombstones of the state that the chunk before had written."""
    world = crowd(379, LIMITS["forgetful"])
    assert until_crash(lambda: Worker(world, PARTITIONS, CrashAt("produce examples", 19)).run([4, 9, 9, 6, 11, 10], 12))
    finish(world)
    assert audit(world) == []


@law(60)
@given(st.data())
def test_any_crashes_at_the_limits_give_the_reference(data: st.DataObject) -> None:
    """Whatever was refused, let go or forgotten before a death is so after it: nothing lands twice, nothing nowhere."""
    world = crowd(
        data.draw(st.integers(0, 10_000), "seed"), LIMITS[data.draw(st.sampled_from(sorted(LIMITS)), "limits")]
    )
    sizes = data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=8), "sizes")
    counts = st.integers(1, 30)
    for _ in range(data.draw(st.integers(1, 4), "deaths")):
        points = data.draw(st.sampled_from([POINTS_OF_WORKER, WRITES, POINTS_OF_SINK]), "process")
        crash = CrashAt(data.draw(st.sampled_from(points)), data.draw(counts))
        if points is POINTS_OF_SINK:
            until_crash(lambda crash=crash: sink(world, crash))
        else:
            until_crash(lambda crash=crash: Worker(world, PARTITIONS, crash).run(sizes, data.draw(counts, "commits")))
        if data.draw(st.booleans(), "compacted"):
            world.compact("assembly.state")
    finish(world)
    assert audit(world) == []
