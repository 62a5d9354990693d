"""The learner of a track: probe, training, saving and loading of `trainers`, behind the protocol that rounds use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainers.bases.load import Bases
from trainers.items import Item
from trainers.predict import AdapterPredictor, load_predictor
from trainers.probe import INVERSE_PENALTY, SOFT_PENALTY, fit_heads, train_probe
from trainers.protocols import Made, Progress
from trainers.tracks import Track
from trainers.train import save, train


@dataclass(slots=True)
class TrackLearner:
    """Learns one track on the resident bases; remembers the probe of the last items, which training fits too."""

    track: Track
    bases: Bases
    _floor: tuple[tuple[str, ...], AdapterPredictor] | None = None

    def probe(self, items: Sequence[Item]) -> AdapterPredictor:
        """See `Learner.probe`."""
        if self._floor is None or self._floor[0] != _ids(items):
            self._floor = _ids(items), train_probe(self.track, items, self.bases)
        return self._floor[1]

    def train(
        self,
        items: Sequence[Item],
        development: Sequence[Item],
        folder: Path,
        *,
        warm: Path | None,
        progress: Progress,
    ) -> Made:
        """See `Learner.train`; the trained adapter leaves the base again."""
        progress("probe", 0.0)
        probe, start = fit_heads(self.track, items, self.bases, (INVERSE_PENALTY, SOFT_PENALTY))
        self._floor = _ids(items), probe
        trained = train(
            self.track, items, development, bases=self.bases, warm=warm, start=start.head, progress=progress
        )
        try:
            save(trained, folder)
        finally:
            trained.predictor.close()
        base = trained.base
        return Made(
            base.model_id, base.revision, base.tokenizer_sha256, tuple(trained.head.labels), trained.development
        )

    def load(self, folder: Path) -> AdapterPredictor:
        """See `Learner.load`."""
        return load_predictor(folder, self.bases)


def _ids(items: Sequence[Item]) -> tuple[str, ...]:
    return tuple(item.id for item in items)
