"""A benchmark is sealed once, whole, and only where training data does not touch it."""

from dataclasses import replace

import pytest

from streams.errors import CannotSeal
from streams.seal import BenchmarkItem, TrainingTrace, seal, unchanged

ITEMS = [BenchmarkItem(f"b{n}", "intent", "cards", f'["{n}"]', '"x"', f"hash{n}", f"c-{n}") for n in range(5)]
FAR = TrainingTrace("t1", "intent", "cards", "other", "c-other")


def test_the_seal_depends_on_the_items_only() -> None:
    """Their order does not change it; one item less, or one twice, does."""
    sealed = seal("v1", "cards", ITEMS, [FAR])
    assert (sealed.items, sealed.tasks) == (5, {"intent": 5})
    assert seal("v1", "cards", ITEMS[::-1], []).sha256 == sealed.sha256
    assert seal("v1", "cards", ITEMS[:4], []).sha256 != sealed.sha256
    assert seal("v1", "cards", [*ITEMS, ITEMS[0]], []).sha256 != sealed.sha256


@pytest.mark.parametrize(
    ("near", "told"),
    [
        (replace(FAR, customer_hash="c-2", task="response"), "1 customers are also in training data .c-2 in .* t1"),
        (replace(FAR, text_hash="hash3", customer_hash=None), "1 normalised texts are also in training data"),
    ],
)
def test_a_leak_is_refused_with_counts_and_examples(near: TrainingTrace, told: str) -> None:
    """A shared customer in any task, or a shared text of the same task and label set."""
    with pytest.raises(CannotSeal, match=told):
        seal("v1", "cards", ITEMS, [FAR, near])


def test_unknown_customers_are_nobody() -> None:
    """Two items without a customer share none."""
    sealed = seal("v1", "cards", [replace(ITEMS[0], customer_hash=None)], [replace(FAR, customer_hash=None)])
    assert sealed.items == 1


def test_an_empty_benchmark_is_no_benchmark() -> None:
    """It says what to do."""
    with pytest.raises(CannotSeal, match="still benchmark import"):
        seal("v1", "cards", [], [])


def test_a_sealed_name_never_changes() -> None:
    """The same content is accepted, another one refused."""
    sealed = seal("v1", "cards", ITEMS, [])
    unchanged(sealed, sealed.to_json())
    with pytest.raises(CannotSeal, match="seal under a new name"):
        unchanged(seal("v1", "cards", ITEMS[:3], []), sealed.to_json())
