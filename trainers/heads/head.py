"""What every head strategy offers to the one training loop and the one predictor.

A head owns its label space, its trainable module beside the adapter (empty for `generate`), and the way from items to
rows, from batches to a loss, and from batches to predictions. It never holds a base's weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

from torch import Tensor, nn

from schemas.records import Json
from trainers.bases.load import Base
from trainers.items import Item
from trainers.padding import Batch, Row
from trainers.tracks import Track


@dataclass(frozen=True, slots=True)
class Prediction:
    """An answer in the form of the task's target.

    `confidence` lies in [0, 1]; `scores` gives each label's probability (multi-label only); `loss` is the mean loss
    per token of the target's text and `tokens` their number (`generate` only, None without a target).
    """

    item_id: str
    output: Json
    confidence: float | None
    loss: float | None = None
    tokens: int | None = None
    scores: dict[str, float] = field(default_factory=dict)


class Head(Protocol):
    """A head strategy on one base."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The label space, in order of the outputs; empty for free text."""
        ...

    @property
    def multi_label(self) -> bool:
        """Whether an answer may hold several labels, or none."""
        ...

    @property
    def module(self) -> nn.Module:
        """What is trained beside the adapter."""
        ...

    def __init__(self, base: Base, track: Track, labels: tuple[str, ...], *, multi_label: bool = False) -> None: ...

    @classmethod
    def for_items(cls, base: Base, track: Track, items: Sequence[Item]) -> Self:
        """A fresh head with the label space of these items.

        Raises:
            NothingToLearn: they cannot teach it.
        """
        ...

    def rows(self, items: Sequence[Item], *, targets: bool) -> list[Row]:
        """One row per item that has text; with `targets`, only items whose target this head can express."""
        ...

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Weighted mean loss of a batch of rows with targets."""
        ...

    def examples(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """Frozen features and wanted outputs of a batch, for a linear probe (`generate` has none)."""
        ...

    def predict(
        self, model: nn.Module, batch: Batch, items: Sequence[Item], outputs: int | None = None
    ) -> list[Prediction]:
        """One prediction per row of the batch; `items[i]` belongs to `batch.rows[i]`.

        Text is generated only for rows with an index below `outputs` (None: for all), since it costs a pass per token.
        """
        ...
