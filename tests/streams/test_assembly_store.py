"""State comes back from a real broker as it was written last."""

from __future__ import annotations

import pytest

from schemas import codec
from schemas.records import AssemblyState, HeldEvent
from still.embedded.stack import Stack
from streams.assembly_store import AssemblyStore, changes_of, outgoing
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


def test_the_newest_state_of_each_conversation_comes_back(stack: Stack, topic_prefix: str) -> None:
    """Later states win, also against an older one that a lost worker appended; forgotten and foreign ones are gone."""
    topic = f"{topic_prefix}assembly.state"
    many = {f"m{number}": state(f"m{number}", number) for number in range(3000)}
    store = written(
        stack,
        topic_prefix,
        [
            outgoing({"a": state("a", 5), "b": state("b", 6), "old": state("old", 7, "before")}, topic, 1),
            outgoing({"a": state("a", 9), "b": None}, topic, 1),
            outgoing({"a": state("a", 7)}, topic, 1),
            outgoing(dict(many), topic, 1),
            outgoing({"other": state("other", 1)}, topic, 2),
        ],
    )
    loaded = {found.conversation_id: found for found in store.load(1, "now")}
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
    assert outgoing({"b": None, "a": state("a", 2)}, "t", 3) == [
        Outgoing("t", 3, b"b", None),
        Outgoing("t", 3, b"a", codec.encode(state("a", 2))),
    ]
