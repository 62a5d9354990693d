"""`generate`: any task's target as text after a chat prompt, by a causal base.

Loss falls on the completion's tokens only, its end of turn included; all other positions are dropped before the
output layer. Greedy decoding; for tasks other than response the text is read back into the target's form.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from schemas.messages import text_of
from trainers.bases.load import Base
from trainers.errors import BaseUnavailable, NothingToLearn
from trainers.heads.head import Prediction
from trainers.heads.text import instructions, read_target, write_target
from trainers.items import Item, labels_of, window
from trainers.padding import Batch, Row
from trainers.tracks import Track

LONGEST_ANSWER = 0.5
"""Share of the token budget that a completion may fill; the prompt keeps the rest."""


class Generate:
    """No module of its own: the base's output layer speaks."""

    multi_label = False

    def __init__(self, base: Base, track: Track, labels: tuple[str, ...], *, multi_label: bool = False) -> None:
        del multi_label  # text can say several labels anyway
        if base.tokenizer.chat_template is None:
            raise BaseUnavailable(f"{base.model_id} has no chat template; `generate` needs one")
        self.labels = labels
        self.module: nn.Module = nn.Module()
        self._base = base
        self._track = track
        self._budget = base.limit(track.max_tokens)
        self._longest = max(1, int(self._budget * LONGEST_ANSWER))

    @classmethod
    def for_items(cls, base: Base, track: Track, items: Sequence[Item]) -> Self:
        """The labels (none for response) go into the prompt.

        Raises:
            NothingToLearn: no item at all.
        """
        if not items:
            raise NothingToLearn(f"no {track.task} item to learn from")
        if track.task == "response":
            return cls(base, track, ())
        return cls(base, track, tuple(sorted({label for item in items for label in labels_of(item.task, item.target)})))

    def rows(self, items: Sequence[Item], *, targets: bool) -> list[Row]:
        """Prompt and completion ids, the prompt's start cut where both exceed the budget; target: completion length.

        Without `targets` an item whose target is None (a task other than tools) is a prompt alone, of length 0.
        """
        rows = [self._row(place, item) for place, item in enumerate(items) if item.messages]
        return [row for row in rows if row.target > 0 or not targets]

    def _row(self, place: int, item: Item) -> Row:
        prompt, completion = self._texts(item)
        target = self._ids(completion)[: self._longest]
        room = self._budget - len(target)
        return Row(place, self._ids(prompt)[-room:] + target, len(target), item.weight)

    def _ids(self, text: str) -> list[int]:
        # Not verbose: it would warn of a length that is cut here a moment later.
        ids: list[int] = self._base.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    def _texts(self, item: Item) -> tuple[str, str]:
        """Prompt up to where the agent speaks, and what it then says with its end of turn; '' without a target."""
        chat = [*instructions(item.task, self.labels), *plain(window(item.messages, self._track.turns))]
        prompt = self._render(chat, item.tools, open_turn=True)
        if item.target is None and item.task != "tools":
            return prompt, ""
        said = {"role": "assistant", "content": write_target(item.task, item.target, item.messages)}
        whole = self._render([*chat, said], item.tools, open_turn=False)
        if not whole.startswith(prompt):
            raise BaseUnavailable(
                f"the chat template of {self._base.model_id} rewrites the prompt when an answer follows"
            )
        return prompt, whole[len(prompt) :].rstrip("\n")

    def _render(self, chat: list[dict[str, Any]], tools: Any, *, open_turn: bool) -> str:
        text: str = self._base.tokenizer.apply_chat_template(
            chat, tools=tools, tokenize=False, add_generation_prompt=open_turn
        )
        return text

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Cross-entropy per completion token, weighted by row."""
        each, mask = self._token_losses(model, batch)
        weights = mask * batch.weights.unsqueeze(1)
        return (each * weights).sum() / weights.sum()

    def examples(self, _model: nn.Module, _batch: Batch) -> tuple[Tensor, Tensor]:
        """No linear probe: what `generate` must beat is the bare base."""
        raise NothingToLearn("a generating head has no linear layer to probe")

    def _token_losses(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """Loss and mask of the last positions, [rows, longest completion]; rows end together (padded left)."""
        lengths = torch.tensor([row.target for row in batch.rows], device=batch.input_ids.device)
        longest = max(1, int(lengths.max()))
        logits = model(
            input_ids=batch.input_ids,
            attention_mask=batch.attention_mask,
            position_ids=positions(batch),
            logits_to_keep=longest + 1,
            use_cache=False,
        ).logits
        targets = batch.input_ids[:, -longest:]
        each = functional.cross_entropy(logits[:, :-1].float().transpose(1, 2), targets, reduction="none")
        from_end = torch.arange(longest, 0, -1, device=lengths.device)
        return each, (from_end <= lengths.unsqueeze(1)).float()

    def predict(
        self, model: nn.Module, batch: Batch, items: Sequence[Item], outputs: int | None = None
    ) -> list[Prediction]:
        """Loss of the given targets; text for the first items. Confidence: geometric mean of the text's token odds."""
        each, mask = self._token_losses(model, batch)
        sums, counts = (each * mask).sum(dim=1).tolist(), mask.sum(dim=1).int().tolist()
        written = [outputs is None or row.index < outputs for row in batch.rows]
        spoken = [
            self._speak(model, row, item) if write else (None, None)
            for row, item, write in zip(batch.rows, items, written, strict=True)
        ]
        return [
            Prediction(item.id, output, confidence, total / count if count else None, count or None)
            for item, (output, confidence), total, count in zip(items, spoken, sums, counts, strict=True)
        ]

    def _speak(self, model: Any, row: Row, item: Item) -> tuple[Any, float]:
        """The greedy answer to a row's prompt, and its confidence."""
        prompt = row.ids[: len(row.ids) - row.target]
        ids = torch.tensor([prompt], device=self._base.device)
        end = self._end_ids()
        out = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=self._longest,
            do_sample=False,
            eos_token_id=end,
            pad_token_id=self._base.padding.token_id,
            return_dict_in_generate=True,
            output_logits=True,
        )
        new = out.sequences[0, len(prompt) :]
        odds = torch.stack([step[0].float().log_softmax(0)[token] for step, token in zip(out.logits, new, strict=True)])
        text = self._base.tokenizer.decode([token for token in new.tolist() if token not in end])
        return read_target(item.task, text.strip(), item.messages), float(odds.mean().exp())

    def _end_ids(self) -> list[int]:
        """Tokens that end a turn: the tokenizer's, and what the chat template puts after an answer."""
        question = [{"role": "user", "content": "?"}]
        prompt = self._render(question, None, open_turn=True)
        whole = self._render([*question, {"role": "assistant", "content": "x"}], None, open_turn=False)
        after = self._ids(whole[len(prompt) + 1 :])[:1]
        eos = self._base.tokenizer.eos_token_id
        return sorted({*after, *([] if eos is None else [eos])})


def plain(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages as chat templates expect them: text never null, text parts joined, only the keys they know."""
    kept = ("role", "tool_calls", "tool_call_id", "name")
    return [{"content": text_of(message)} | {k: message[k] for k in kept if message.get(k)} for message in messages]


def positions(batch: Batch) -> Tensor:
    """Position of each token in its own row, [rows, size]; padding on the left counts nothing."""
    return (batch.attention_mask.cumsum(dim=1) - 1).clamp(min=0)
