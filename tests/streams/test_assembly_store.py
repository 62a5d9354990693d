"""State comes back from a real broker as it was written last."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas import codec
from schemas.records import AssemblyState, HeldEvent
from still.embedded.stack import Stack
from streams.assembly_store import AssemblyStore, Changes, Fold, Found, Keys, changes_of, key_of
from streams.deliver import Delivery, Outgoing
from streams.errors import StateUnreadable
from streams.metrics import NoMetrics
from streams.produce import ProduceSettings
from streams.values import Step
from tests.streams.log import make_topics


def state(id_: str, offset: int, cluster: str = "now") -> AssemblyState:
    """Some state."""
    return AssemblyState(id_, cluster, 1, offset, "open", 0, offset, (HeldEvent(offset, offset, bytes(1000)),))


def written(stack: Stack, prefix: str, batches: list[list[Outgoing]]) -> AssemblyStore:
    """A store over a fresh state topic with these batches, confirmed one by one."""
    make_topics(stack.bootstrap_servers, prefix)
    delivery = Delivery(ProduceSettings(stack.bootstrap_servers), NoMetrics(), 10.0)
    for batch in batches:
        delivery.confirm(batch)
    return AssemblyStore(stack.bootstrap_servers, f"{prefix}assembly.state", {})


def outgoing(changes: Changes, topic: str, partition: int) -> list[Outgoing]:
    """What a worker writes that knows of nothing on the log."""
    return Keys().outgoing(changes, topic, partition)


def folded(*records: tuple[bytes, bytes | None]) -> list[Found]:
    """What is there after these records."""
    fold = Fold("now")
    for key, value in records:
        fold.apply(key, value)
    return fold.found()


def test_the_newest_state_of_each_conversation_comes_back(stack: Stack, topic_prefix: str) -> None:
    """Later states win, also against an older one that a lost worker appended; forgotten and foreign ones are gone."""
    topic = f"{topic_prefix}assembly.state"
    many = {f"m{number}": state(f"m{number}", number) for number in range(3000)}
    store = written(
        stack,
        topic_prefix,
        [
            outgoing({"a": state("a", 5), "b": state("b", 6), "old": state("old", 7, "before")}, topic, 1),
            [*outgoing({"a": state("a", 9)}, topic, 1), Outgoing(topic, 1, key_of(state("b", 6)), None)],
            outgoing({"a": state("a", 7)}, topic, 1),
            outgoing(dict(many), topic, 1),
            outgoing({"other": state("other", 1)}, topic, 2),
        ],
    )
    loaded = {found.state.conversation_id: found.state for found in store.load(1, "now")}
    assert loaded == {"a": state("a", 9), **many}


def test_an_empty_partition_loads_at_once(stack: Stack, topic_prefix: str) -> None:
    """No state is an answer, not a time-out."""
    assert written(stack, topic_prefix, []).load(0, "now") == []


def test_garbage_in_the_state_topic_is_named(stack: Stack, topic_prefix: str) -> None:
    """Passing over unreadable state would lose a conversation: it stops, naming the place."""
    store = written(stack, topic_prefix, [[Outgoing(f"{topic_prefix}assembly.state", 1, b"k", b"junk")]])
    with pytest.raises(StateUnreadable, match=r"assembly.state\[1\] offset 0"):
        store.load(1, "now")


def test_changes_keep_the_last_of_each_conversation() -> None:
    """Over a chunk's steps the last state wins, an expired one counts, and what is forgotten is a tombstone."""
    steps = [Step(state=state("a", 1)), Step(state=state("a", 2), expired=(state("b", 0),)), Step(forgotten=("b",))]
    assert changes_of(steps) == {"a": state("a", 2), "b": None}


def test_a_state_is_tombstoned_only_behind_the_confirmation_of_a_newer_one() -> None:
    """A new state lies beside the old one; the old one goes with the next changes, what is forgotten goes at once."""
    keys = Keys()
    first, second = state("a", 1), state("a", 2)
    assert keys.outgoing({"a": first}, "t", 3) == [Outgoing("t", 3, b"a\xff1", codec.encode(first))]
    assert keys.outgoing({"a": second}, "t", 3) == [Outgoing("t", 3, b"a\xff2", codec.encode(second))]
    assert keys.outgoing({}, "t", 3) == [Outgoing("t", 3, b"a\xff1", None)]
    assert keys.outgoing({"a": None, "never": None}, "t", 3) == [Outgoing("t", 3, b"a\xff2", None)]
    assert keys.outgoing({}, "t", 3) == []


def test_a_conversation_that_is_let_go_keeps_its_key() -> None:
    """The marker of a closed conversation has the offset of its last event: it replaces the whole state."""
    keys, whole = Keys(), state("a", 1)
    marker = replace(whole, events=())
    written = [*keys.outgoing({"a": whole}, "t", 3), *keys.outgoing({"a": marker}, "t", 3)]
    assert keys.outgoing({}, "t", 3) == []
    assert folded(*((out.key or b"", out.value) for out in written)) == [Found(marker, (b"a\xff1",))]


def test_states_of_an_earlier_release_are_read_and_cleared_away() -> None:
    """Its key is the conversation id alone, with an older state written behind the newer one: the newer one counts."""
    old, late, new = state("a", 5), state("a", 4), state("a", 6)
    before = [(b"a", codec.encode(old)), (b"a", codec.encode(late))]
    assert folded(*before) == [Found(old, (b"a",))]
    keys = Keys(folded(*before))
    assert keys.outgoing({"a": new}, "t", 3) == [Outgoing("t", 3, b"a\xff6", codec.encode(new))]
    assert folded(*before, (b"a\xff6", codec.encode(new))) == [Found(new, (b"a", b"a\xff6"))]
    assert keys.outgoing({}, "t", 3) == [Outgoing("t", 3, b"a", None)]


def test_what_a_lost_worker_left_behind_is_cleared_away_by_the_next() -> None:
    """Stray older states are tombstoned with the first changes; of a forgotten conversation nothing stays."""
    records = [(key_of(one), codec.encode(one)) for one in (state("a", 9), state("a", 7), state("b", 3))]
    found = folded(*records)
    assert {one.state.conversation_id: one.keys for one in found} == {"a": (b"a\xff7", b"a\xff9"), "b": (b"b\xff3",)}
    cleared = Keys(found).outgoing({"a": None}, "t", 1)
    assert cleared == [Outgoing("t", 1, b"a\xff7", None), Outgoing("t", 1, b"a\xff9", None)]
    assert folded(*records, *((out.key or b"", out.value) for out in cleared)) == [Found(state("b", 3), (b"b\xff3",))]
