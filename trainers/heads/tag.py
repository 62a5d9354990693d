"""`tag`: exact character spans in a text, by one BIO tag per word from the encoder's hidden states.

Only a word's first piece carries loss and decision (Devlin et al. 2019); a span goes from its first word's first
character to its last word's last one. Offsets count characters of the last message, as targets do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainers.bases.load import Base
from trainers.errors import NothingToLearn
from trainers.heads.head import Prediction
from trainers.items import Item, content_of, labels_of
from trainers.padding import Batch, Row
from trainers.tracks import Track

IGNORED = -100
OUTSIDE = 0
Words = list[tuple[int, int, int]]
"""Of each word: the place of its first token, its first character, its end (exclusive)."""

Span = dict[str, Any]


class Tag:
    """A linear layer over each hidden state: [rows, size, hidden] -> [rows, size, 1 + 2 x labels]."""

    multi_label = False

    def __init__(self, base: Base, track: Track, labels: tuple[str, ...], *, multi_label: bool = False) -> None:
        del multi_label  # spans carry one label each
        self.labels = labels
        self.module = nn.Linear(base.hidden_size, 1 + 2 * len(labels)).to(base.device)
        self._base = base
        self._track = track
        self._begin = {label: 1 + 2 * place for place, label in enumerate(labels)}

    @classmethod
    def for_items(cls, base: Base, track: Track, items: Sequence[Item]) -> Self:
        """The label space is what the items' spans show.

        Raises:
            NothingToLearn: not one span.
        """
        labels = {label for item in items for label in labels_of(item.task, item.target)}
        if not labels:
            raise NothingToLearn(f"{len(items)} {track.task} items hold no span; a tagger needs some")
        return cls(base, track, tuple(sorted(labels)))

    def rows(self, items: Sequence[Item], *, targets: bool) -> list[Row]:
        """Token ids with, as target, (words, tag of each word; no tags without `targets`)."""
        places = [i for i, item in enumerate(items) if item.text.strip() and (not targets or self._knows(item))]
        if not places:
            return []
        encoded = self._base.tokenizer(
            [items[i].text for i in places],
            truncation=True,
            max_length=self._base.limit(self._track.max_tokens),
            return_offsets_mapping=True,
        )
        return [self._row(i, items[i], encoded, n, targets=targets) for n, i in enumerate(places)]

    def _knows(self, item: Item) -> bool:
        return all(label in self._begin for label in labels_of(item.task, item.target))

    def _row(self, index: int, item: Item, encoded: Any, place: int, *, targets: bool) -> Row:
        shift = offset_of_last(item)
        found = words(encoded.word_ids(place), encoded["offset_mapping"][place], shift)
        tags = self._tags(item.target, found) if targets else []
        return Row(index, encoded["input_ids"][place], (found, tags), item.weight)

    def _tags(self, spans: list[Span], found: Words) -> list[int]:
        tags = [OUTSIDE] * len(found)
        for span in spans:
            inside = [n for n, (_, start, end) in enumerate(found) if start < span["end"] and end > span["start"]]
            for n in inside:
                tags[n] = self._begin[span["label"]] + (n != inside[0])
        return tags

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Cross-entropy over words, weighted by row."""
        logits = self._logits(model, batch)
        targets = torch.full(logits.shape[:2], IGNORED, device=logits.device)
        for place, row in enumerate(batch.rows):
            found, tags = row.target
            targets[place, [token for token, _, _ in found]] = torch.tensor(tags, device=logits.device)
        each = functional.cross_entropy(logits.transpose(1, 2), targets, ignore_index=IGNORED, reduction="none")
        weights = batch.weights.unsqueeze(1) * (targets != IGNORED)
        return (each * weights).sum() / weights.sum().clamp(min=1e-9)

    def examples(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """States of the words' first tokens [words, hidden] and wanted outputs [words, tags] as 0/1."""
        places = [(n, token) for n, row in enumerate(batch.rows) for token, _, _ in row.target[0]]
        tags = [tag for row in batch.rows for tag in row.target[1]]
        states = self._states(model, batch)
        return states[[n for n, _ in places], [t for _, t in places]], functional.one_hot(
            torch.tensor(tags), 1 + 2 * len(self.labels)
        )

    def _states(self, model: nn.Module, batch: Batch) -> Tensor:
        hidden: Tensor = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).last_hidden_state
        return hidden.float()

    def _logits(self, model: nn.Module, batch: Batch) -> Tensor:
        logits: Tensor = self.module(self._states(model, batch))
        return logits

    def predict(
        self, model: nn.Module, batch: Batch, items: Sequence[Item], outputs: int | None = None
    ) -> list[Prediction]:
        """Confidence: the least sure word's probability."""
        del outputs  # an answer costs nothing more
        probabilities = self._logits(model, batch).softmax(dim=2)
        rows = zip(items, batch.rows, probabilities, strict=True)
        return [self.answer(item, row.target[0], of_row) for item, row, of_row in rows]

    def answer(self, item: Item, found: Words, probabilities: Tensor) -> Prediction:
        """The spans that a row's tag probabilities [size, tags] say."""
        if not found:
            return Prediction(item.id, [], None)
        best = probabilities[[token for token, _, _ in found]].max(dim=1)
        return Prediction(item.id, self.spans(best.indices.tolist(), found), float(best.values.min()))

    def spans(self, tags: Sequence[int], found: Words) -> list[Span]:
        """Spans from one tag per word; an inside tag that continues nothing begins a span."""
        spans: list[Span] = []
        before = OUTSIDE
        for tag, (_, start, end) in zip(tags, found, strict=True):
            if tag != OUTSIDE:
                label = self.labels[(tag - 1) // 2]
                continues = tag % 2 == 0 and before != OUTSIDE and spans[-1]["label"] == label
                if continues:
                    spans[-1]["end"] = end
                else:
                    spans.append({"start": start, "end": end, "label": label})
            before = tag
        return spans


def offset_of_last(item: Item) -> int:
    """Where the last message begins in the item's text."""
    last = content_of(item.messages[-1]) if item.messages else item.text
    return len(item.text) - len(last)


def words(word_ids: Sequence[int | None], offsets: Sequence[tuple[int, int]], shift: int) -> Words:
    """The words of the last message, offsets counted from its start; earlier context is left out."""
    found: Words = []
    before: int | None = None
    for token, (word, (start, end)) in enumerate(zip(word_ids, offsets, strict=True)):
        if word is not None and start >= shift:
            if word == before:
                found[-1] = (*found[-1][:2], end - shift)
            else:
                found.append((token, start - shift, end - shift))
            before = word
    return found
