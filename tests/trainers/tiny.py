"""Tiny real models with random weights, so that every path runs in milliseconds."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from trainers.bases.load import Bases, BaseSettings

WORDS = (
    "where is my order late parcel refund money back please thanks agent it ships on monday tuesday red blue "
    "cancel lamp return none label text occurrence the a your we will you hate insult"
).split()
CHAT = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}<end>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
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
