"""Batches of like length, padded to a few fixed sizes.

Padding to the batch's longest text wastes two thirds of the work on short texts, and every new shape costs the CPU
kernels a compilation and memory; so lengths go up to the next of `SIZES`, and a batch never mixes sizes.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

SIZES = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048, 4096)


@dataclass(frozen=True, slots=True)
class Row:
    """One tokenised item: its place in the caller's list, its token ids and what the head wants of it."""

    index: int
    ids: list[int]
    target: Any
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one size: `input_ids` and `attention_mask` are [rows, size]."""

    rows: Sequence[Row]
    input_ids: Tensor
    attention_mask: Tensor

    @property
    def weights(self) -> Tensor:
        """[rows]."""
        return torch.tensor([row.weight for row in self.rows], device=self.input_ids.device)


@dataclass(frozen=True, slots=True)
class Padding:
    """What fills rows up, on which side (causal models end together, so they pad left), and on which device."""

    token_id: int
    left: bool
    device: torch.device


def padded_size(length: int) -> int:
    """The smallest fixed size that holds `length` tokens; beyond the last size, the length itself."""
    place = bisect_left(SIZES, length)
    return SIZES[place] if place < len(SIZES) else length


def batches(rows: Sequence[Row], size: int, padding: Padding, shuffle: random.Random | None = None) -> Iterator[Batch]:
    """All rows once, in batches of at most `size` rows; in length order, or shuffled where chance is given."""
    groups = _groups(rows, size, shuffle)
    if shuffle is not None:
        shuffle.shuffle(groups)
    for group in groups:
        yield collate(group, padding)


def _groups(rows: Sequence[Row], size: int, shuffle: random.Random | None) -> list[list[Row]]:
    by_size: dict[int, list[Row]] = {}
    for row in rows:
        by_size.setdefault(padded_size(len(row.ids)), []).append(row)
    groups = []
    for length in sorted(by_size):
        alike = by_size[length]
        if shuffle is not None:
            shuffle.shuffle(alike)
        groups += [alike[start : start + size] for start in range(0, len(alike), size)]
    return groups


def collate(rows: Sequence[Row], padding: Padding) -> Batch:
    """One batch, padded to a fixed size."""
    size = padded_size(max(len(row.ids) for row in rows))
    ids = torch.full((len(rows), size), padding.token_id, dtype=torch.long)
    mask = torch.zeros((len(rows), size), dtype=torch.long)
    for place, row in enumerate(rows):
        start = size - len(row.ids) if padding.left else 0
        ids[place, start : start + len(row.ids)] = torch.tensor(row.ids, dtype=torch.long)
        mask[place, start : start + len(row.ids)] = 1
    return Batch(rows, ids.to(padding.device), mask.to(padding.device))
