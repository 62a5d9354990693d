"""State comes back from a real broker as it was written last."""

from __future__ import annotations

import pytest

from schemas.records import AssemblyState, HeldEvent
from still.embedded.stack import Stack
from streams.assembly_keys import EMPTY, Change, Keys, key_of, mark_of
from streams.assembly_store import AssemblyStore
from streams.deliver import Delivery, Outgoing
from streams.errors import StateUnreadable
from streams.metrics import NoMetrics
from streams.produce import ProduceSettings
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


def outgoing(states: dict[str, AssemblyState], topic: str, partition: int, mark: int) -> list[Outgoing]:
    """What a worker writes that knows of nothing on the log."""
    changes = {id_: Change(one, one.offset) for id_, one in states.items()}
    return Keys().outgoing(dict(changes), mark_of("now", partition, mark), topic, partition)


def test_the_newest_state_of_each_conversation_comes_back(stack: Stack, topic_prefix: str) -> None:
    """Later states win, also against an older one of a lost worker; forgotten, foreign, unmarked ones do not count."""
    topic = f"{topic_prefix}assembly.state"
    many = {f"m{number}": state(f"m{number}", number) for number in range(3000)}
    cut_short = outgoing({"a": state("a", 3001), "m5": state("m5", 3002)}, topic, 1, 3002)[:-1]
    store = written(
        stack,
        topic_prefix,
        [
            outgoing({"a": state("a", 5), "b": state("b", 6), "old": state("old", 7, "before")}, topic, 1, 7),
            [*outgoing({"a": state("a", 9)}, topic, 1, 9), Outgoing(topic, 1, key_of(Change(state("b", 6), 6)), None)],
            outgoing({"a": state("a", 7)}, topic, 1, 8),
            outgoing(many, topic, 1, 3000),
            cut_short,
            outgoing({"other": state("other", 1)}, topic, 2, 1),
        ],
    )
    held = store.load(1, "now")
    assert {found.state.conversation_id: found.state for found in held.found} == {"a": state("a", 9), **many}
    assert (held.mark, [at for at, _ in held.ahead]) == (3000, [3001, 3002])


def test_an_empty_partition_loads_at_once(stack: Stack, topic_prefix: str) -> None:
    """No state is an answer, not a time-out."""
    assert written(stack, topic_prefix, []).load(0, "now") == EMPTY


def test_garbage_in_the_state_topic_is_named(stack: Stack, topic_prefix: str) -> None:
    """Passing over unreadable state would lose a conversation: it stops, naming the place."""
    store = written(stack, topic_prefix, [[Outgoing(f"{topic_prefix}assembly.state", 1, b"k", b"junk")]])
    with pytest.raises(StateUnreadable, match=r"assembly.state\[1\] offset 0"):
        store.load(1, "now")
