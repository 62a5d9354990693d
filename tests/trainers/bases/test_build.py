"""The decoder base: the command that makes it works, and what is shipped is what the record says."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer

from schemas.records import Messages
from streams.importers.source import events_in
from streams.importers.tau_bench import read_tau_bench
from streams.simulate.dialogue import Contact
from streams.simulate.settings import SimulateSettings
from streams.simulate.simulate import contacts
from trainers.bases.build import RECORD, BuildSettings, build, digests, held_out_loss, loss_on, torn
from trainers.bases.load import DECODER_FOLDER
from trainers.heads.generate import plain

TAU = Path(__file__).parents[4] / "shared/data/tau-bench/dev"

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
    assert 1_000_000 <= record["parameters"] <= 3_000_000


def test_shipped_base_knows_its_corpus(record: dict[str, Any], tokenizer: Any) -> None:
    """The held-out loss is the recorded one, far below an untrained model's."""
    settings = BuildSettings(**{**record["settings"], "held_out_dialogues": 40})
    loss = held_out_loss(AutoModelForCausalLM.from_pretrained(DECODER_FOLDER, dtype="float32"), tokenizer, settings)
    assert loss == pytest.approx(record["held_out_loss"], rel=0.15)
    assert record["held_out_loss"] < 2.5


def test_shipped_base_beats_guessing_on_a_shop_it_never_saw(tokenizer: Any) -> None:
    """On text outside its corpus it is at least two nats a token better than uniform guessing."""
    model = AutoModelForCausalLM.from_pretrained(DECODER_FOLDER, dtype="float32")
    shop = [said(contact) for contact in contacts(SimulateSettings(0, 12), 99, "strangers")]
    assert loss_on(model, tokenizer, shop, 256) < math.log(len(tokenizer)) - 2


@pytest.mark.skipif(not TAU.is_dir(), reason="the public tau-bench conversations are not beside the project")
def test_shipped_base_beats_guessing_on_real_conversations(tokenizer: Any) -> None:
    """So it is on real conversations of agents with customers."""
    model = AutoModelForCausalLM.from_pretrained(DECODER_FOLDER, dtype="float32")
    events = list(events_in(read_tau_bench(TAU / "gpt-4o-airline.json")))
    real = [plain([m for m in event.messages if m["role"] != "system"]) for event in events[:8]]
    assert loss_on(model, tokenizer, real, 256) < math.log(len(tokenizer)) - 2


def said(contact: Contact) -> Messages:
    """What was said in a contact."""
    return plain([message for turn in contact.turns for message in turn.messages if message["role"] != "system"])


@given(st.text("ab <|>endcde ü1", max_size=60), st.floats(0, 1), st.integers())
def test_torn_words_are_the_same_text(text: str, share: float, seed: int) -> None:
    """Tearing loses nothing, and leaves special tokens whole."""
    pieces = torn(f"{text}<|end|>{text}", share, random.Random(seed))
    assert "".join(pieces) == f"{text}<|end|>{text}"
    assert sum(piece.count("<|end|>") for piece in pieces) == "".join(pieces).count("<|end|>")


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
