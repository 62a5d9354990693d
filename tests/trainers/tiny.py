"""Tiny real models with random weights, and items that even they can learn, so that every path runs in milliseconds."""

import random
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from schemas.ids import text_hash
from schemas.records import Json, Messages, Task
from trainers.bases.load import Bases, BaseSettings
from trainers.items import Item, render
from trainers.tracks import Track

WORDS = (
    "where is my order late parcel refund money back please thanks agent it ships on monday tuesday red blue "
    "cancel lamp return none label text occurrence the a your we will you hate insult"
).split()
CHAT = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}<end>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)

INTENT = Track(
    task="intent",
    label_set="tiny",
    kind="encoder",
    head="classify",
    metric="accuracy",
    margin=0.05,
    target_modules=("query", "value"),
    epochs=3,
    max_tokens=16,
    learning_rate=5e-3,
    min_paired=10,
)
ENTITIES = Track(
    task="entities",
    label_set="tiny",
    kind="encoder",
    head="tag",
    metric="span_f1",
    margin=0.05,
    target_modules=("query", "value"),
    epochs=3,
    max_tokens=16,
    learning_rate=5e-3,
)
RESPONSE = Track(
    task="response",
    label_set="tiny",
    kind="decoder",
    head="generate",
    metric="token_loss",
    margin=0.05,
    target_modules=("q_proj", "v_proj", "up_proj", "down_proj"),
    epochs=8,
    patience=8,
    max_tokens=24,
    turns=4,
    learning_rate=1e-2,
)


def make_bases(folder: Path) -> Bases:
    """An encoder and a decoder, saved as folders and loaded as any base is."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        _save_encoder(folder / "encoder")
        _save_decoder(folder / "decoder")
    settings = BaseSettings(
        encoder=str(folder / "encoder"), decoder=str(folder / "decoder"), precision="fp32", device="cpu", threads=1
    )
    return Bases(settings)


def _tokenizer(special: list[str]) -> PreTrainedTokenizerFast:
    vocabulary = {token: place for place, token in enumerate([*special, "[UNK]", *WORDS, *'{}[]":,.?0123456789'])}
    rules = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    rules.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=rules, unk_token="[UNK]", pad_token=special[0], additional_special_tokens=special[1:]
    )


def _save_encoder(folder: Path) -> None:
    tokenizer = _tokenizer(["[PAD]"])
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)  # type: ignore[no-untyped-call]
    tokenizer.save_pretrained(folder)


def _save_decoder(folder: Path) -> None:
    tokenizer = _tokenizer(["[PAD]", "<user>", "<assistant>", "<system>", "<tool>", "<end>"])
    tokenizer.chat_template = CHAT
    tokenizer.eos_token = "<end>"
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    LlamaForCausalLM(config).save_pretrained(folder)  # type: ignore[no-untyped-call]
    tokenizer.save_pretrained(folder)


def item(task: Task, text: str, target: Json, *, number: int = 0, conversation: str | None = None) -> Item:
    """An item of one customer message."""
    return item_of_chat(task, [{"role": "user", "content": text}], target, number=number, conversation=conversation)


def item_of_chat(
    task: Task, messages: Messages, target: Json, *, number: int = 0, conversation: str | None = None
) -> Item:
    """An item of a chat."""
    text = render(messages, 4)
    label = target if isinstance(target, str) and task != "response" else task
    return Item(
        id=f"{task}-{number}",
        task=task,
        text=text,
        target=target,
        label=label,
        bucket=f"{task}/{label}",
        conversation_id=conversation or f"c-{number}",
        customer=None,
        weight=1.0,
        origin="labelled",
        text_hash=text_hash(text),
        messages=messages,
    )


def intents(n: int, seed: int = 0) -> list[Item]:
    """Items whose intent is told by one word among others."""
    chance = random.Random(seed)
    told = {"late": "status", "refund": "money", "cancel": "stop"}
    items = []
    for number in range(n):
        word = chance.choice(sorted(told))
        words = [*chance.sample(["where", "is", "my", "order", "please", "lamp"], 3), word]
        chance.shuffle(words)
        items.append(item("intent", " ".join(words), told[word], number=number + 1000 * seed))
    return items


def spans(n: int, seed: int = 0) -> list[Item]:
    """Items with a day and sometimes a two-word thing to find."""
    chance = random.Random(seed)
    items = []
    for number in range(n):
        day = chance.choice(["monday", "tuesday"])
        text = f"it ships {chance.choice(['on', 'please'])} {day}"
        target = [{"start": text.index(day), "end": len(text), "label": "day"}]
        if chance.random() < 0.5:
            target.append({"start": len(text) + 1, "end": len(text) + 9, "label": "thing"})
            text += " red lamp"
        items.append(item("entities", text, target, number=number + 1000 * seed))
    return items


def replies(n: int, seed: int = 0) -> list[Item]:
    """Questions with the answers that an agent always gives."""
    chance = random.Random(seed)
    said = {"where is my order": "it ships on monday", "refund please": "we will return the money"}
    items = []
    for number in range(n):
        question = chance.choice(sorted(said))
        messages = [{"role": "user", "content": question}]
        items.append(item_of_chat("response", messages, said[question], number=number + 1000 * seed))
    return items
