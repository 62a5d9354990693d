"""Build the small decoder base: tokenizer and weights from text that the project makes itself.

    still models build-base --seed 1 --out trainers/bases/decoder

Tokenizer, model, loop, held-out loss, files: in that order. Equal settings, seed, threads and libraries give equal
weights; `base.json` records them with the sha256 of every file, so that a shipped base can be checked.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import random
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import orjson
import torch
import transformers
from torch import Tensor
from torch.nn import functional

from schemas.records import Messages
from trainers.bases.corpus import dialogues
from trainers.bases.tokenizer import train_tokenizer

RECORD = "base.json"
_HELD_OUT_SEED = 10**6
"""Added to the seed for the dialogues that measure and never train."""

Progress = Callable[[int, float], None]


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """Size of the decoder and length of its training; a batch is `rows` windows of `window` tokens."""

    seed: int = 1
    vocabulary: int = 4096
    hidden: int = 192
    feed_forward: int = 512
    layers: int = 4
    heads: int = 6
    context: int = 512
    tokenizer_dialogues: int = 8_000
    steps: int = 700
    rows: int = 16
    window: int = 160
    split_words: float = 0.1
    smoothing: float = 0.02
    bf16: bool = True
    learning_rate: float = 3e-3
    held_out_dialogues: int = 200


def build(settings: BuildSettings, out: Path, progress: Progress) -> dict[str, Any]:
    """Make the base in folder `out` (a plain transformers folder) and return its record.

    `progress` gets the step and the training loss in nats a token.
    """
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    texts = (_plain(chat) for chat in islice(dialogues(settings.seed), settings.tokenizer_dialogues))
    tokenizer = train_tokenizer(texts, settings.vocabulary, settings.context)
    torch.manual_seed(settings.seed)
    model = _model(settings, tokenizer)
    _train(model, _windows(settings, tokenizer), settings, progress)
    # Shipped in bf16 for half the size; what is measured is what is shipped.
    model.to(torch.bfloat16)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    record = {
        "command": f"still models build-base --seed {settings.seed} --out FOLDER",
        "settings": asdict(settings),
        "parameters": model.num_parameters(),
        "held_out_loss": round(held_out_loss(model.float(), tokenizer, settings), 4),
        "made_with": {"torch": torch.__version__, "transformers": transformers.__version__,
                      "threads": torch.get_num_threads(), "machine": platform.machine()},
        "sha256": digests(out),
    }  # fmt: skip
    (out / RECORD).write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2) + b"\n")
    return record


def digests(folder: Path) -> dict[str, str]:
    """sha256 of every file in the folder but the record itself."""
    files = sorted(file for file in folder.iterdir() if file.is_file() and file.name not in (RECORD, "README.md"))
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def held_out_loss(model: Any, tokenizer: Any, settings: BuildSettings) -> float:
    """Loss on dialogues of the corpus that training never saw."""
    held_out = islice(dialogues(settings.seed + _HELD_OUT_SEED), settings.held_out_dialogues)
    return loss_on(model, tokenizer, held_out, settings.context)


def loss_on(model: Any, tokenizer: Any, chats: Iterable[Messages], context: int) -> float:
    """Mean cross-entropy in nats a token over chats, of each at most its first `context` tokens."""
    total, count = 0.0, 0
    model.eval()
    with torch.no_grad():
        for chat in chats:
            ids = torch.tensor([_ids(tokenizer, [_text(tokenizer, chat)])[:context]])
            total += float(_loss(model, ids)) * (ids.shape[1] - 1)
            count += ids.shape[1] - 1
    return total / count


def _model(settings: BuildSettings, tokenizer: Any) -> Any:
    config = transformers.LlamaConfig(  # type: ignore[call-arg]
        vocab_size=len(tokenizer),
        hidden_size=settings.hidden,
        intermediate_size=settings.feed_forward,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.heads,
        max_position_embeddings=settings.context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        attn_implementation="eager",  # bf16 with torch's fused attention is slower on processors
    )
    return transformers.LlamaForCausalLM(config)  # type: ignore[no-untyped-call]


def _train(model: Any, batches: Iterator[Tensor], settings: BuildSettings, progress: Progress) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.95), weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=settings.learning_rate, total_steps=settings.steps, pct_start=0.06
    )
    model.train()
    for step, batch in enumerate(islice(batches, settings.steps)):
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.bf16):
            loss = _loss(model, batch, settings.smoothing)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        progress(step, loss.item())


def _loss(model: Any, ids: Tensor, smoothing: float = 0.0) -> Tensor:
    logits = model(input_ids=ids[:, :-1], use_cache=False).logits
    return functional.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten(), label_smoothing=smoothing)


def _windows(settings: BuildSettings, tokenizer: Any) -> Iterator[Tensor]:
    """Batches of dialogues laid end to end and cut into windows: [rows, window + 1]."""
    size = settings.rows * (settings.window + 1)
    stream: list[int] = []
    rng = random.Random(f"decoder-windows:{settings.seed}")
    for chat in dialogues(settings.seed):
        stream += _ids(tokenizer, torn(_text(tokenizer, chat), settings.split_words, rng))
        while len(stream) >= size:
            yield torch.tensor(stream[:size]).view(settings.rows, settings.window + 1)
            del stream[:size]


_WORD = re.compile(r"<\|\w+\|>|[^\W\d_]{3,}")


def torn(text: str, share: float, rng: random.Random) -> list[str]:
    """The text in pieces: some words torn in two, so that a reader learns the pieces of words that it will never see.

    What BPE dropout does (Provilkov et al. 2020), but seeded; special tokens stay whole.
    """
    cuts = [
        rng.randrange(word.start() + 1, word.end())
        for word in _WORD.finditer(text)
        if rng.random() < share and not word[0].startswith("<|")
    ]
    return [text[start:end] for start, end in pairwise([0, *cuts, len(text)])]


def _text(tokenizer: Any, chat: Messages) -> str:
    text: str = tokenizer.apply_chat_template(chat, tokenize=False)
    return text


def _ids(tokenizer: Any, pieces: list[str]) -> list[int]:
    return [token for ids in tokenizer(pieces, add_special_tokens=False)["input_ids"] for token in ids]


def _plain(chat: Messages) -> str:
    calls = [call["function"] for message in chat for call in message.get("tool_calls", ())]
    words = [str(message["content"]) for message in chat if message["content"]]
    return "\n".join(words + [f"{call['name']} {call['arguments']}" for call in calls])


def main(argv: list[str] | None = None) -> int:
    """Build by command line; prints the record."""
    defaults = BuildSettings()
    parser = argparse.ArgumentParser(prog="still models build-base", description="Build the small decoder base.")
    parser.add_argument("--out", type=Path, required=True, help="folder to make")
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--steps", type=int, default=defaults.steps)
    asked = parser.parse_args(argv)
    record = build(BuildSettings(seed=asked.seed, steps=asked.steps), asked.out, _print_progress(asked.steps))
    sys.stdout.write(orjson.dumps(record, option=orjson.OPT_INDENT_2).decode() + "\n")
    return 0


def _print_progress(steps: int) -> Progress:
    def show(step: int, loss: float) -> None:
        if (step + 1) % 10 == 0 or step + 1 == steps:
            sys.stderr.write(f"\rstep {step + 1}/{steps}  loss {loss:.3f}")
            sys.stderr.write("\n" if step + 1 == steps else "")

    return show


if __name__ == "__main__":
    sys.exit(main())
