"""Choosing a batch: no leak, no duplicate, a fair mixture, and the same choice in whatever order things came."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import text_hash
from schemas.records import Split
from tests.trainers.made import contact, contacts
from trainers.batches import Policy
from trainers.compose import compose
from trainers.errors import MixedBatch
from trainers.gaps import Needs, find_gaps
from trainers.items import Item
from trainers.pool import Pool

POLICY = Policy(task="intent", label_set="shop", max_items=1000, replay_share=0.3, seed=7)

texts = st.sampled_from(["money back", "Money  back", "where is 12", "where is 99", "stop", "hello there"])
Drawn = list[tuple[str, str]]
pools = st.lists(st.tuples(texts, st.sampled_from(["refund", "track"])), max_size=25)


def _pool(fresh: list[Item], older: Iterable[Item] = (), **held: list[Item]) -> Pool:
    return Pool(tuple(fresh), tuple(older), tuple(held.get("development", ())), tuple(held.get("benchmark", ())))


def _made(drawn: Drawn, split: Split = "train") -> list[Item]:
    return [contact(n, label, split, text=text) for n, (text, label) in enumerate(drawn)]


@given(pools, pools, pools)
def test_nothing_held_out_and_nothing_twice(fresh: Drawn, benchmark: Drawn, development: Drawn) -> None:
    """No normalised text of benchmark or development enters, and no text enters twice with one target."""
    sides = {"benchmark": _made(benchmark, "benchmark"), "development": _made(development, "development")}
    batch = compose(_pool(_made(fresh), **sides), POLICY)
    held = [*sides["benchmark"], *sides["development"]]
    rows = [(text_hash(one.text), one.label) for one in batch.items]
    assert {text for text, _ in rows}.isdisjoint({one.text_hash for one in held})
    assert len(set(rows)) == len(rows)
    assert len(rows) + sum(batch.left_out.values()) == len(fresh)


@given(st.permutations(contacts(30)), st.integers(3, 40))
def test_order_of_the_pool_does_not_matter(shuffled: list[Item], room: int) -> None:
    """The same pool in any order gives the same batch, hash and row order."""
    policy = replace(POLICY, max_items=room)
    expected = compose(_pool(contacts(30), older=contacts(20, first=100)), policy)
    found = compose(_pool(shuffled, older=contacts(20, first=100)[::-1]), policy)
    assert (found.sha256, found.items) == (expected.sha256, expected.items)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 80), st.floats(0, 1))
def test_room_is_filled_and_never_exceeded(fresh: int, older: int, room: int, replay: float) -> None:
    """A batch has as many rows as fit, and older ones get their share where room is short."""
    policy = replace(POLICY, max_items=room, replay_share=replay)
    batch = compose(_pool(contacts(fresh), older=contacts(older, first=1000)), policy)
    assert len(batch.items) == min(room, fresh + older)
    if fresh + older > room:
        assert len(batch.items) - batch.fresh >= min(older, round(room * replay))


def test_customers_of_the_benchmark_are_left_out_and_counted() -> None:
    """A training item of a customer or conversation in the benchmark is left out with its reason."""
    held = contact(1, split="benchmark")
    same_customer = contact(2, customer=held.customer)
    same_conversation = contact(3, conversation_id=held.conversation_id, customer=None)
    batch = compose(_pool([same_customer, same_conversation, contact(4)], benchmark=[held]), POLICY)
    assert [one.id for one in batch.items] == ["train-00004"]
    assert batch.left_out == {"customer_in_benchmark": 2}


def test_calibration_is_held_out_too() -> None:
    """What certifies an adapter's confidence never trains it."""
    pool = replace(
        _pool([contact(1), contact(2)]), calibration=(contact(1, split="development", text=contact(1).text),)
    )
    assert compose(pool, POLICY).left_out == {"text_in_calibration": 1}


def test_a_label_has_a_cap() -> None:
    """No label takes more rows than the policy allows."""
    batch = compose(_pool([contact(n) for n in range(50)] + [contact(99, "track")]), replace(POLICY, max_per_label=10))
    assert batch.buckets == {"intent/refund/easy/en/production": 10, "intent/track/easy/en/production": 1}


def test_rare_labels_stay_whole_when_room_is_short() -> None:
    """Frequent labels give way first."""
    pool = _pool([contact(n) for n in range(90)] + [contact(n, "track") for n in range(100, 110)])
    assert compose(pool, replace(POLICY, max_items=30)).buckets["intent/track/easy/en/production"] == 10


def test_needs_change_the_batch() -> None:
    """Errors in one label bring more of it where room is short, and weigh it more where all fits."""
    needs = find_gaps(
        [
            {"bucket": "intent/refund/easy/en/production", "n": 30, "errors": 0},
            {"bucket": "intent/track/hard/en/production", "n": 30, "errors": 20},
        ]
    )
    pool = _pool(contacts(300))
    short = replace(POLICY, max_items=60)
    before, after = compose(pool, short), compose(pool, short, needs)
    track = "intent/track/easy/en/production"
    assert after.buckets[track] > before.buckets[track]
    assert len({before.sha256, after.sha256, compose(pool, POLICY, needs).sha256, compose(pool, POLICY).sha256}) == 4
    weights = {one.label: one.weight for one in compose(pool, POLICY, needs).items}
    assert weights["track"] > 1 > weights["refund"]


def test_no_needs_change_nothing() -> None:
    """Without errors the next batch would be the same one."""
    pool = _pool(contacts(20))
    assert compose(pool, POLICY, Needs()).sha256 == compose(pool, POLICY).sha256


def test_tasks_never_mix() -> None:
    """An item of another task is refused by name."""
    with pytest.raises(MixedBatch, match="train-00001"):
        compose(_pool([contact(1, task="safety")]), POLICY)


def test_seeds_make_other_orders() -> None:
    """Another seed gives the same rows in another order, hence another batch."""
    pool = _pool(contacts(40))
    one, other = compose(pool, POLICY), compose(pool, replace(POLICY, seed=8))
    assert {i.id for i in one.items} == {i.id for i in other.items}
    assert one.sha256 != other.sha256
