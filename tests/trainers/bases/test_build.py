"""The decoder base: the command that makes it works, and what is shipped is what the record says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer

from trainers.bases.build import RECORD, BuildSettings, build, digests, held_out_loss
from trainers.bases.load import DECODER_FOLDER

TINY = BuildSettings(
    seed=3, vocabulary=400, hidden=32, feed_forward=64, layers=1, heads=2, context=128,
    tokenizer_dialogues=100, steps=12, rows=4, window=64, held_out_dialogues=10,
)  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """The shipped tokenizer."""
    return AutoTokenizer.from_pretrained(DECODER_FOLDER)


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    """The shipped base's record."""
    found: dict[str, Any] = orjson.loads((DECODER_FOLDER / RECORD).read_bytes())
    return found


def test_the_command_builds_a_base_and_repeats_it(tmp_path: Path) -> None:
    """A tiny base is built in seconds, learns, and equal settings give the same bytes in every file."""
    losses: list[float] = []
    first = build(TINY, tmp_path / "a", lambda _, loss: losses.append(loss))
    again = build(TINY, tmp_path / "b", lambda *_: None)
    assert len(losses) == TINY.steps
    assert losses[-1] < losses[0]
    assert first == again
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "a").num_parameters() == first["parameters"]


def test_shipped_files_are_those_of_the_record(record: dict[str, Any]) -> None:
    """Every shipped file has the digest that was recorded when it was made, and all fit into 8 MB."""
    assert digests(DECODER_FOLDER) == record["sha256"]
    assert sum(file.stat().st_size for file in DECODER_FOLDER.iterdir()) < 8_000_000
    assert 1_000_000 <= record["parameters"] <= 2_500_000


def test_shipped_base_knows_its_corpus(record: dict[str, Any], tokenizer: Any) -> None:
    """The held-out loss is the recorded one, far below an untrained model's."""
    settings = BuildSettings(**{**record["settings"], "held_out_dialogues": 40})
    loss = held_out_loss(AutoModelForCausalLM.from_pretrained(DECODER_FOLDER, dtype="float32"), tokenizer, settings)
    assert loss == pytest.approx(record["held_out_loss"], rel=0.15)
    assert record["held_out_loss"] < 1.5


@given(st.text())
def test_any_text_comes_back(tokenizer: Any, text: str) -> None:
    """Byte-level tokens lose nothing."""
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


def test_the_template_ends_turns_and_marks_what_to_learn(tokenizer: Any) -> None:
    """An answer continues its prompt, ends with the end-of-turn token, and only it is marked as the agent's words."""
    question = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Where is LL-1?"}]
    call = {"id": "1", "type": "function", "function": {"name": "lookup", "arguments": '{"id":"LL-1"}'}}
    tool = [{"role": "assistant", "content": None, "tool_calls": [call]}, {"role": "tool", "content": '{"ok":true}'}]
    prompt = tokenizer.apply_chat_template([*question, *tool], tokenize=False, add_generation_prompt=True)
    whole = [*question, *tool, {"role": "assistant", "content": "Here."}]
    assert tokenizer.apply_chat_template(whole, tokenize=False) == f"{prompt}Here.<|end|>"
    assert '<|assistant|><|call|>lookup {"id":"LL-1"}<|end|><|tool|>{"ok":true}<|end|>' in prompt
    marked = tokenizer.apply_chat_template(whole, return_dict=True, return_assistant_tokens_mask=True)
    learned = [i for i, m in zip(marked["input_ids"], marked["assistant_masks"], strict=True) if m]
    assert tokenizer.decode(learned) == '<|call|>lookup {"id":"LL-1"}<|end|>Here.<|end|>'
