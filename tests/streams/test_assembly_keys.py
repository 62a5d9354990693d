"""What a chunk writes of assembly's state, and what a reader makes of it, cut short anywhere."""

from __future__ import annotations

from dataclasses import replace

from schemas import codec
from schemas.records import AssemblyState, HeldEvent
from streams.assembly_keys import Change, Changes, Fold, Found, Held, Keys, changes_of, key_of, mark_of
from streams.values import Step

Written = list[tuple[bytes, bytes | None]]


def state(id_: str, offset: int) -> AssemblyState:
    """Some state."""
    return AssemblyState(id_, "now", 1, offset, "open", 0, offset, (HeldEvent(offset, offset, bytes(10)),))


def change(id_: str, offset: int) -> Change:
    """The state that a conversation's own event made."""
    return Change(state(id_, offset), offset)


def chunk(keys: Keys, changes: Changes, mark: int | None) -> Written:
    """What a chunk writes that ends with offset `mark`; None = it held repeats only."""
    out = keys.outgoing(changes, None if mark is None else mark_of("now", 1, mark), "t", 1)
    assert all(one[:2] == ("t", 1) for one in out)
    return [(one.key or b"", one.value) for one in out]


def held(*records: tuple[bytes, bytes | None], cluster: str = "now") -> Held:
    """What is there after these records."""
    fold = Fold(cluster)
    for key, value in records:
        fold.apply(key, value)
    return fold.held()


def mark(offset: int) -> tuple[bytes, bytes]:
    """A mark as it is written."""
    return b"\xff%d" % offset, codec.encode(mark_of("now", 1, offset))


def test_changes_keep_the_last_of_each_conversation() -> None:
    """Over a chunk's steps the last state wins, one let go bears the offset that let it go, what is forgotten None."""
    steps = [Step(state=state("a", 1)), Step(state=state("a", 2), expired=(state("b", 0),)), Step(forgotten=("c",))]
    assert changes_of(steps) == {"a": change("a", 2), "b": Change(state("b", 0), 2), "c": None}


def test_a_state_is_tombstoned_only_behind_the_confirmation_of_a_newer_one() -> None:
    """A new state lies beside the old one; the old one, and what is forgotten, goes with the next chunk."""
    keys = Keys()
    assert chunk(keys, {"a": change("a", 1)}, 1) == [(b"a\xff1\xff", codec.encode(state("a", 1))), mark(1)]
    assert chunk(keys, {"a": change("a", 2)}, 3) == [(b"a\xff2\xff", codec.encode(state("a", 2))), mark(3)]
    assert chunk(keys, {}, None) == [(b"a\xff1\xff", None), (b"\xff1", None)]
    assert chunk(keys, {"a": None, "never": None}, 5) == [mark(5)]
    assert chunk(keys, {}, None) == [(b"a\xff2\xff", None), (b"\xff3", None)]
    assert chunk(keys, {}, None) == []


def test_what_one_chunk_lets_go_and_forgets_is_let_go_for_a_start_behind_it() -> None:
    """Its whole state of an earlier chunk is still there: the marker beside it says that it does not count."""
    keys = Keys()
    first = chunk(keys, {"a": change("a", 1)}, 1)
    gone = replace(state("a", 1), events=())
    changes = changes_of([Step(state=state("b", 2), expired=(gone,)), Step(state=state("c", 3), forgotten=("a",))])
    assert changes["a"] == Change(gone, 2, is_forgotten=True)
    second = chunk(keys, changes, 3)
    assert [found.state for found in held(*first, *second).found if found.state.conversation_id == "a"] == [gone]
    third = chunk(keys, {}, None)
    assert third == [(b"a\xff2\xff", None), (b"a\xff1\xff", None), (b"\xff1", None)]
    assert {found.state.conversation_id for found in held(*first, *second, *third).found} == {"b", "c"}


def test_a_chunk_cut_short_counts_for_nothing() -> None:
    """Whatever part of a chunk is there, a reader stands where the chunk before it ended, whole states and all."""
    keys = Keys()
    first = chunk(keys, {"a": change("a", 1), "b": change("b", 2), "c": change("c", 3)}, 3)
    gone = Change(replace(state("b", 2), events=()), 5)
    second = chunk(keys, {"a": change("a", 5), "b": gone, "c": None, "d": change("d", 6)}, 7)
    before = held(*first)
    assert {found.state.conversation_id: found.state.offset for found in before.found} == {"a": 1, "b": 2, "c": 3}
    for end in range(len(second)):
        cut = held(*first, *second[:end])
        assert (cut.found, cut.mark) == (before.found, 3)
    after = held(*first, *second)
    states = [found.state for found in after.found]
    assert {one.conversation_id: len(one.events) for one in states} == {
        "c": 1,
        "a": 1,
        "b": 0,
        "d": 1,
    }
    assert (after.mark, after.ahead) == (7, ())


def test_a_lower_mark_written_late_moves_nothing() -> None:
    """A worker that lost the partition writes its own, and even tombstones it: the highest mark stays."""
    records = [mark(9), mark(4), (b"\xff2", None)]
    assert (held(*records).mark, held(*records).marks) == (9, (b"\xff4", b"\xff9"))
    assert chunk(Keys(held(*records)), {}, None) == [(b"\xff4", None)]
    assert held(*records, cluster="another").mark == -1


def test_what_lies_ahead_is_void_once_a_mark_has_passed_it() -> None:
    """The next worker cuts otherwise: what it did not write again goes, but not before its mark; the rest stays."""
    ahead = [(key_of(one), codec.encode(one.state)) for one in (change("a", 5), change("b", 6), change("c", 9))]
    keys = Keys(held(mark(3), *ahead))
    passed = chunk(keys, {"a": change("a", 5), "b": change("b", 7)}, 8)
    assert [key for key, value in passed if value is None] == []
    assert chunk(keys, {}, None) == [(b"\xff3", None), (b"b\xff6\xff", None)]


def test_states_of_an_earlier_release_are_read_and_cleared_away() -> None:
    """They always count, the newest of a key; new ones need no mark until all that it wrote is passed."""
    old, late = state("a", 5), state("a", 4)
    before: Written = [(b"a", codec.encode(old)), (b"a", codec.encode(late)), (b"b\xff9", codec.encode(state("b", 9)))]
    assert held(*before).found == (Found(old, (b"a",)), Found(state("b", 9), (b"b\xff9",)))
    keys = Keys(held(*before))
    first = chunk(keys, {"a": change("a", 6)}, 7)
    assert first == [(b"a\xff6", codec.encode(state("a", 6)))]
    assert held(*before, *first).found[0] == Found(state("a", 6), (b"a", b"a\xff6"))
    second = chunk(keys, {"a": change("a", 10)}, 10)
    assert second == [(b"a", None), (b"a\xff10\xff", codec.encode(state("a", 10))), mark(10)]
    both = held(*before, *first, *second)
    assert {found.state.offset for found in both.found} == {9, 10}


def test_what_a_lost_worker_left_behind_is_cleared_away_by_the_next() -> None:
    """Stray older states go with the first changes; of what the assembler forgot at its start nothing stays."""
    records = [(key_of(one), codec.encode(one.state)) for one in (change("a", 9), change("a", 7), change("b", 3))]
    found = held(*records, mark(9))
    keys = Keys(found)
    keys.forget(["b"])
    assert chunk(keys, {}, None) == [(b"a\xff7\xff", None), (b"b\xff3\xff", None)]
    assert found.found[1] == Found(state("a", 9), (b"a\xff7\xff", b"a\xff9\xff"))
