"""A small but real learner for tests of the loop: words vote for the labels they were seen with; a few files on disk.

It learns from weights and batches like the large one, so rounds, gates and publication are tested in milliseconds.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from tests.trainers.made import LOOP
from trainers.evaluate import evaluate
from trainers.heads import Prediction
from trainers.items import Item
from trainers.protocols import Made, Progress
from trainers.tracks import Track


@dataclass(frozen=True, slots=True)
class WordVotes:
    """Votes of words for labels."""

    votes: dict[str, dict[str, float]]
    labels: tuple[str, ...]

    def predict(self, items: Sequence[Item], *, outputs: int | None = None) -> list[Prediction]:  # noqa: ARG002
        """One prediction per item."""
        return [self._answer(item) for item in items]

    def _answer(self, item: Item) -> Prediction:
        total: Counter[str] = Counter(dict.fromkeys(self.labels, 0.0))
        for word in item.text.split():
            total.update(self.votes.get(word, {}))
        best = max(sorted(total), key=lambda label: total[label])
        return Prediction(item.id, best, total[best] / (sum(total.values()) or 1.0))

    def close(self) -> None:
        """Holds nothing."""


@dataclass(slots=True)
class WordLearner:
    """Learns word votes; the probe knows only the most frequent label. `saw` keeps what each training was given."""

    track: Track = LOOP
    saw: list[tuple[int, Path | None]] = field(default_factory=list)

    def probe(self, items: Sequence[Item]) -> WordVotes:
        """Always the most frequent label."""
        frequent, _ = Counter(item.label for item in items).most_common(1)[0]
        return WordVotes({}, (frequent,))

    def train(
        self,
        items: Sequence[Item],
        development: Sequence[Item],
        folder: Path,
        *,
        warm: Path | None,
        progress: Progress,
    ) -> Made:
        """Count, and write the counts."""
        self.saw.append((len(items), warm))
        votes: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for item in items:
            for word in item.text.split():
                votes[word][item.label] += item.weight
        progress("train", 1.0)
        labels = sorted({item.label for item in items})
        data = orjson.dumps({"votes": votes, "labels": labels}, option=orjson.OPT_SORT_KEYS)
        (folder / "adapter_model.safetensors").write_bytes(data)
        measured = evaluate(self.load(folder), development, self.track)
        return Made("words", "1", "none", tuple(labels), measured)

    def load(self, folder: Path) -> WordVotes:
        """Read the counts."""
        raw = orjson.loads((folder / "adapter_model.safetensors").read_bytes())
        return WordVotes(raw["votes"], tuple(raw["labels"]))
