"""The whole pipeline in memory, crashed at every point: nothing lost, nothing doubled, the same as the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import codec
from schemas.records import Conversation, Score
from sinks.errors import Temporary
from sinks.tables import by_topic
from sinks.values import Block, new_token
from sinks.write import Writer
from streams.deliver import Outgoing
from streams.errors import GapFound
from tests.crash import traffic
from tests.crash.compare import (
    EVENTS,
    PARTITIONS,
    POINTS_OF_SINK,
    POINTS_OF_WORKER,
    SIZES,
    audit,
    finish,
    law,
    until_crash,
)
from tests.crash.twin import TOPICS, CrashAt, Worker, World, sink

pytestmark = [pytest.mark.timeout(600), pytest.mark.usefixtures("quiet")]

CONTACTS = 6


def world_of(seed: int, contacts: int = CONTACTS) -> World:
    """A log of some contacts on two partitions, each with an event that contradicts its first one, and bad records."""
    world = World()
    for number in range(contacts):
        first, *others = traffic.contact(seed, number)
        for sent in (first, *traffic.contradicted(first), *others):
            world.append([Outgoing(EVENTS, number % len(PARTITIONS), sent.key, sent.value)])
    world.append([Outgoing(EVENTS, 0, b"key", b"garbage"), Outgoing("scores", 0, b"key", b"garbage")])
    return world


@pytest.mark.parametrize("table", [by_topic()[topic].name for topic in TOPICS])
def test_the_audit_finds_a_row_lost_and_a_row_doubled(table: str) -> None:
    """Of any table, where all is right before."""
    world = world_of(5)
    finish(world)
    assert audit(world) == []
    rows = world.store.tables[table]
    row = next(row for row in rows if row.get("stage") != "sink")
    rows.append(row)
    assert [finding[:13] for finding in audit(world)] == ["2 times here,"]
    rows[:] = [one for one in rows if one is not row]
    assert [finding[:13] for finding in audit(world)] == ["0 times here,"]


@pytest.mark.parametrize("which", [0, 1, 2], ids=["first", "middle", "last"])
@pytest.mark.parametrize("point", POINTS_OF_WORKER)
def test_a_worker_may_die_at_any_point(point: str, which: int) -> None:
    """At the first, a middle and the last time that a point is reached; the sink lands what is there in between."""
    calm = CrashAt()
    Worker(world_of(5), PARTITIONS, calm).run(SIZES)
    world = world_of(5)
    crash = CrashAt(point, (1, (calm.seen[point] + 1) // 2, calm.seen[point])[which])
    assert until_crash(lambda: Worker(world, PARTITIONS, crash).run(SIZES))
    sink(world, CrashAt())
    finish(world)
    assert audit(world) == []


@pytest.mark.parametrize("which", [0, 1, 2], ids=["first", "middle", "last"])
@pytest.mark.parametrize("point", POINTS_OF_SINK)
def test_a_sink_may_die_at_any_point(point: str, which: int) -> None:
    """The same for the sink: rows land once, and its own dead letters too."""
    calm = CrashAt()
    world = world_of(5)
    Worker(world, PARTITIONS, CrashAt()).run(SIZES)
    sink(world, calm)
    world = world_of(5)
    Worker(world, PARTITIONS, CrashAt()).run(SIZES)
    crash = CrashAt(point, (1, (calm.seen[point] + 1) // 2, max(1, calm.seen[point] - 1))[which])
    crashed = until_crash(lambda: sink(world, crash))
    assert crashed or which > 0, f"the sink never reaches {point!r}"
    finish(world)
    assert audit(world) == []


class Unanswered:
    """ClickHouse dies around the first insert into each table: before it landed, or before it could say so."""

    def __init__(self, when: str) -> None:
        self._points = {f"{when} {by_topic()[topic].name}" for topic in TOPICS}

    def __call__(self, name: str) -> None:
        """Reach a point."""
        if name in self._points:
            self._points.remove(name)
            raise Temporary("no answer")


def taken_for_landed(writer: Writer, block: Block, *, unknown: bool) -> None:  # noqa: ARG001 - as Writer has it
    """What no sink may do."""
    with suppress(Temporary):
        writer.store.insert(block)


def sent_as_another(writer: Writer, block: Block, *, unknown: bool) -> None:  # noqa: ARG001 - as Writer has it
    """Neither this."""
    writer.patiently(lambda: writer.store.insert(replace(block, token=new_token(block.table))))


@pytest.mark.parametrize(
    ("when", "naive", "finding"), [("insert", taken_for_landed, "0 times"), ("inserted", sent_as_another, "2 times")]
)
def test_an_insert_without_an_answer_is_settled(
    when: str, naive: Callable[..., None], finding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it had landed or not; and the audit finds a sink that does not settle it, by what is lost or doubled."""
    for settle, found in ((Writer._insert, set()), (naive, {finding})):
        monkeypatch.setattr(Writer, "_insert", settle)
        world = world_of(5)
        Worker(world, PARTITIONS, CrashAt()).run(SIZES)
        sink(world, Unanswered(when))
        finish(world)
        assert {one[: len(finding)] for one in audit(world)} == found


@law(25)
@given(st.data())
def test_any_crashes_in_any_batches_give_the_reference(data: st.DataObject) -> None:
    """Chunks of any size, several deaths of worker and sink at any points: the tables are the reference's."""
    world = world_of(data.draw(st.integers(0, 50), "seed"), 6)
    sizes = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=8), "sizes")
    counts = st.integers(1, 12)
    for _ in range(data.draw(st.integers(1, 4), "deaths")):
        if data.draw(st.booleans(), "worker"):
            crash = CrashAt(data.draw(st.sampled_from(POINTS_OF_WORKER)), data.draw(counts))
            until_crash(lambda crash=crash: Worker(world, PARTITIONS, crash).run(sizes, data.draw(counts, "commits")))
        else:
            crash = CrashAt(data.draw(st.sampled_from(POINTS_OF_SINK)), data.draw(counts))
            until_crash(lambda crash=crash: sink(world, crash))
    finish(world)
    assert audit(world) == []


def test_marks_that_a_start_reads_back_reach_the_ledger() -> None:
    """Rows above the ledger at a start, its first entry about other partitions, then another start and a repeat."""
    world, sizes = world_of(43, 6), [2, 3, 2]
    until_crash(lambda: Worker(world, PARTITIONS, CrashAt("produce examples", 7)).run(sizes, 8))
    until_crash(lambda: Worker(world, PARTITIONS, CrashAt("commit", 2)).run(sizes, 7))
    assert until_crash(lambda: sink(world, CrashAt("inserted examples", 2)))
    sink(world, CrashAt())
    assert all(marks for (topic, _), marks in world.store.source_marks.items() if topic == "examples")
    finish(world)
    assert audit(world) == []


@law(12)
@given(st.data())
def test_a_replay_from_anywhere_changes_nothing(data: st.DataObject) -> None:
    """Offsets of the worker's group set back to any earlier point, and the sink's ledger kept: the tables stay."""
    world = world_of(data.draw(st.integers(0, 50), "seed"), 6)
    finish(world)
    assert audit(world) == []
    before = {name: len(rows) for name, rows in world.store.tables.items()}
    if data.draw(st.booleans(), "compacted"):
        world.compact("assembly.state")
    for place, end in world.committed.items():
        world.committed[place] = data.draw(st.integers(0, end), str(place))
    finish(world)
    assert audit(world) == []
    assert {name: len(rows) for name, rows in world.store.tables.items()} == before


@law(30)
@given(st.data())
def test_a_zombie_beside_its_successor_doubles_nothing(data: st.DataObject) -> None:
    """A worker that stood still and goes on after another took over repeats records; the tables do not.

    It may go on at any time, settle any of its chunks and let conversations go quiet; only its commits are refused. The
    state topic may be compacted at any time, and the successor may die at any time.
    """
    world = world_of(data.draw(st.integers(0, 50), "seed"), 6)
    zombie = Worker(world, PARTITIONS, CrashAt())
    _live(zombie, data, data.draw(st.integers(0, 6), "before"), commits=True)
    successor = Worker(world, PARTITIONS, CrashAt())
    for _ in range(data.draw(st.integers(0, 6), "both")):
        _live(successor, data, data.draw(st.integers(0, 3)), commits=True)
        _live(zombie, data, data.draw(st.integers(0, 3)), commits=False)
        if data.draw(st.booleans(), "compacted"):
            world.compact("assembly.state")
        if data.draw(st.booleans(), "successor dies"):
            successor = Worker(world, PARTITIONS, CrashAt())
    world.compact("assembly.state")
    finish(world)
    assert audit(world) == []


def test_a_state_that_a_zombie_writes_late_does_not_outlive_the_newer_one() -> None:
    """An old state behind a newer one, then compaction, then another start: the events of the newer one are there."""
    world = world_of(7)
    zombie = Worker(world, PARTITIONS, CrashAt())
    successor = Worker(world, PARTITIONS, CrashAt())
    for worker, size in ((zombie, 1), (successor, 4), (zombie, 1)):
        worker.step(EVENTS, 0, size)
        successor.commit()
    world.compact("assembly.state")
    finish(world)
    assert audit(world) == []


@law(12)
@given(st.data())
def test_records_that_a_broker_appended_twice_land_once(data: st.DataObject) -> None:
    """The answer to an append is lost and the producer sends its last records again, anywhere: the tables do not."""
    world = world_of(data.draw(st.integers(0, 50), "seed"), 6)
    worker = Worker(world, PARTITIONS, CrashAt())
    confirm = worker.confirm

    def twice(batch: Sequence[Outgoing]) -> None:
        confirm(batch)
        confirm(batch[len(batch) - data.draw(st.integers(0, len(batch))) :])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "confirm", twice)
        worker.run(SIZES)
    finish(world)
    assert audit(world) == []


def test_a_hole_stops_the_partition_by_name() -> None:
    """A conversation that vanished from the log is no silent loss: distill names the offsets and takes no more."""
    world = world_of(5, 12)
    worker = Worker(world, PARTITIONS, CrashAt())
    while worker.step(EVENTS, 0, 100):
        pass
    del world.topics["conversations"][0][1]
    with pytest.raises(GapFound, match=r"conversation.events\[0\] offset \d+ follows offset \d+, but \d+ is the last"):
        worker.step("conversations", 0, 100)


@law(12)
@given(st.data())
def test_a_hole_stops_the_partition_at_every_start(data: st.DataObject) -> None:
    """However far the commits have come, up to the record behind the hole: no start goes past it."""
    world = world_of(data.draw(st.integers(0, 50), "seed"), 12)
    worker = Worker(world, PARTITIONS, CrashAt())
    while worker.step(EVENTS, 0, 100):
        pass
    conversations = world.topics["conversations"][0]
    hole = data.draw(st.integers(1, len(conversations) - 2), "hole")
    missing = codec.decode(conversations.pop(hole).value or b"", Conversation).provenance.offset
    for size in data.draw(st.permutations([1, 2, hole, 100, 100]), "chunks"):
        with pytest.raises(GapFound, match=rf"follows offset {missing}, but \d+ is the last"):
            distill_to_the_end(world, size)
    assert world.committed["conversations", 0] <= hole
    assert all(score.provenance.offset < missing for score in scores_of(world))


def distill_to_the_end(world: World, size: int) -> None:
    """One life of a worker that commits after each chunk of partition 0."""
    worker = Worker(world, PARTITIONS, CrashAt())
    while worker.step("conversations", 0, size):
        worker.commit()


def scores_of(world: World) -> list[Score]:
    """The scores of partition 0."""
    return [codec.decode(out.value or b"", Score) for out in world.topics["scores"][0] if out.value != b"garbage"]


def _live(worker: Worker, data: st.DataObject, steps: int, *, commits: bool) -> None:
    for _ in range(steps):
        what = data.draw(st.sampled_from(["assemble", "assemble", "distill", "tick", "commit"]))
        partition, size = data.draw(st.sampled_from(PARTITIONS)), data.draw(st.integers(1, 9))
        if what == "tick":
            worker.tick(data.draw(st.integers(0, 60)) * 1_000_000)
        elif what == "commit" and commits:
            worker.commit()
        elif what != "commit":
            worker.step(EVENTS if what == "assemble" else "conversations", partition, size)
