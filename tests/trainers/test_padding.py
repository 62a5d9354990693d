"""Batches of like length."""

import random

import torch
from hypothesis import given
from hypothesis import strategies as st

from trainers.padding import SIZES, Padding, Row, batches, collate, padded_size

RIGHT = Padding(0, left=False, device=torch.device("cpu"))


@given(st.lists(st.integers(1, 300), max_size=60), st.integers(1, 8), st.booleans())
def test_every_row_comes_once_and_sizes_never_mix(lengths: list[int], size: int, shuffled: bool) -> None:
    """Whatever the lengths, nothing is lost or doubled, and a batch has one fixed size."""
    rows = [Row(n, [1] * length, None) for n, length in enumerate(lengths)]
    made = list(batches(rows, size, RIGHT, random.Random(1) if shuffled else None))
    assert sorted(row.index for batch in made for row in batch.rows) == list(range(len(rows)))
    for batch in made:
        assert {padded_size(len(row.ids)) for row in batch.rows} == {batch.input_ids.shape[1]}
        assert len(batch.rows) <= size
        assert batch.attention_mask.sum(dim=1).tolist() == [len(row.ids) for row in batch.rows]


def test_sizes_go_up_to_the_next_fixed_one() -> None:
    """A length equal to a size stays; beyond the last size a length is its own."""
    assert [padded_size(n) for n in (1, 8, 9, SIZES[-1] + 1)] == [8, 8, 12, SIZES[-1] + 1]


def test_causal_rows_end_together() -> None:
    """Padding on the left leaves the last tokens at the right end."""
    batch = collate([Row(0, [5, 6], None), Row(1, [7], None)], Padding(0, left=True, device=torch.device("cpu")))
    assert batch.input_ids[:, -1].tolist() == [6, 7]
    assert batch.attention_mask[1].tolist() == [0] * 7 + [1]


def test_the_same_chance_gives_the_same_batches() -> None:
    """Order depends on the seed alone."""
    rows = [Row(n, [1] * (n % 20 + 1), None) for n in range(50)]
    orders = [[row.index for b in batches(rows, 4, RIGHT, random.Random(3)) for row in b.rows] for _ in range(2)]
    assert orders[0] == orders[1]
