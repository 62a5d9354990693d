"""The learner of a track: probe, training, saving and loading of `trainers`, behind the protocol that rounds use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainers.bases.load import Bases
from trainers.items import Item
from trainers.predict import AdapterPredictor, load_predictor
from trainers.probe import train_probe
from trainers.protocols import Made, Progress
from trainers.tracks import Track
from trainers.train import save, train


@dataclass(frozen=True, slots=True)
class TrackLearner:
    """Learns one track on the resident bases."""

    track: Track
    bases: Bases

    def probe(self, items: Sequence[Item]) -> AdapterPredictor:
        """See `Learner.probe`."""
        return train_probe(self.track, items, self.bases)

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
        trained = train(self.track, items, development, bases=self.bases, warm=warm, progress=progress)
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
