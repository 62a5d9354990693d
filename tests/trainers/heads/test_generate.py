"""Text heads: which positions are learned, and any task as text."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from tests.trainers.made import RESPONSE, intents, item_of_chat, replies
from trainers.bases.load import Bases
from trainers.errors import BaseUnavailable
from trainers.evaluate import evaluate
from trainers.heads import Generate
from trainers.padding import collate
from trainers.train import train


def test_loss_falls_on_the_completion_only(bases: Bases) -> None:
    """The batch's loss is the plain cross-entropy over the answer's tokens of each row by itself, unpadded."""
    base = bases.of(RESPONSE)
    head = Generate.for_items(base, RESPONSE, replies(6))
    rows = head.rows(replies(6), targets=True)
    total, count = 0.0, 0
    with torch.inference_mode():
        for row in rows:
            logits = base.model(input_ids=torch.tensor([row.ids])).logits[0, -row.target - 1 : -1]
            total += float(functional.cross_entropy(logits, torch.tensor(row.ids[-row.target :]), reduction="sum"))
            count += row.target
        loss = float(head.loss(base.model, collate(rows, base.padding)))
    assert loss == pytest.approx(total / count, abs=1e-4)


def test_the_answer_ends_its_turn_and_long_prompts_lose_their_start(bases: Bases) -> None:
    """The end of turn is learned; the last words before the answer stay."""
    base = bases.of(RESPONSE)
    head = Generate.for_items(base, RESPONSE, replies(1))
    long = [{"role": "user", "content": " ".join(["order"] * 60) + " late"}]
    (row,) = head.rows([item_of_chat("response", long, "it ships")], targets=True)
    said = base.tokenizer.convert_ids_to_tokens(row.ids)
    assert len(row.ids) == RESPONSE.max_tokens
    assert said[-row.target :] == ["it", "ships", "<end>"]
    assert "late" in said


def test_an_intent_track_runs_as_text(bases: Bases) -> None:
    """The same track with a causal base and `generate` covers the production case."""
    track = replace(RESPONSE, task="intent", metric="accuracy", max_tokens=60, epochs=1)
    trained = train(track, intents(12), [], bases=bases)
    measured = evaluate(trained.predictor, intents(4, 1), track)
    trained.predictor.close()
    assert measured.n == 4
    assert measured.value is not None


def test_a_base_without_chat_template_is_refused(bases: Bases) -> None:
    """`generate` cannot know how an agent speaks without one."""
    base = bases.of(RESPONSE)
    template = base.tokenizer.chat_template
    base.tokenizer.chat_template = None
    try:
        with pytest.raises(BaseUnavailable, match="no chat template"):
            Generate(base, RESPONSE, ())
    finally:
        base.tokenizer.chat_template = template
