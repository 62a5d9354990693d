"""The adapter folder: what is in it, written whole and read only after every digest has been checked.

adapter_model.safetensors and adapter_config.json are plain PEFT; head.safetensors (classifiers) and still.json travel
beside them. Sealing and verifying are `schemas.artifacts`' business; what fails there is an AdapterMismatch here.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from schemas.artifacts import Sealed, seal, verify
from schemas.errors import DamagedArtifact
from trainers.adapter import WEIGHTS
from trainers.bases.load import Base
from trainers.errors import AdapterMismatch, InvalidTrack
from trainers.heads import Head
from trainers.tracks import Track, track_of

HEAD = "head.safetensors"
CARD = "still.json"


@dataclass(frozen=True, slots=True)
class Card:
    """still.json: what a reader must know to serve an adapter."""

    track: Track
    labels: tuple[str, ...]
    multi_label: bool
    base_model: str
    base_revision: str
    tokenizer_sha256: str
    digest: str


def save_adapter(base: Base, adapter: str, head: Head, track: Track, folder: Path) -> Sealed:
    """Writes the folder and seals it; the same weights give the same digest."""
    folder.mkdir(parents=True, exist_ok=True)
    base.adapters.save(adapter, folder, base.model_id, base.hub_revision)
    if state := head.module.state_dict():
        save_file({key: tensor.contiguous().cpu() for key, tensor in state.items()}, folder / HEAD)
    card = {
        "format": 1,
        "track": asdict(track),
        "labels": list(head.labels),
        "multi_label": head.multi_label,
        "base_model": base.model_id,
        "base_revision": base.revision,
        "tokenizer_sha256": base.tokenizer_sha256,
    }
    _write_json(folder / CARD, card)
    return seal(folder)


def _verify(folder: Path) -> Sealed:
    try:
        return verify(folder)
    except DamagedArtifact as error:
        raise AdapterMismatch(str(error)) from error


def read_card(folder: Path) -> Card:
    """What still.json says, digests checked first.

    Raises:
        AdapterMismatch: damaged, or not one of ours.
    """
    digest = _verify(folder).sha256
    raw = _read_json(folder / CARD)
    try:
        return Card(
            track=track_of(raw["track"], str(folder / CARD)),
            labels=tuple(raw["labels"]),
            multi_label=bool(raw["multi_label"]),
            base_model=raw["base_model"],
            base_revision=raw["base_revision"],
            tokenizer_sha256=raw["tokenizer_sha256"],
            digest=digest,
        )
    except (KeyError, TypeError, InvalidTrack) as error:
        raise AdapterMismatch(f"{folder / CARD} is no card of ours: {error!r}") from error


def load_head(head: Head, folder: Path) -> None:
    """Puts the folder's head weights into a head of the same label space.

    Raises:
        AdapterMismatch: missing, damaged, or of other shapes.
    """
    expected = head.module.state_dict()
    if not expected:
        return
    try:
        state = load_file(folder / HEAD)
        head.module.load_state_dict(state)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise AdapterMismatch(f"{folder / HEAD} does not fit {len(head.labels)} labels: {error}") from error


def warm_head(head: Head, folder: Path) -> None:
    """Copies the output rows of labels that both heads know; new labels keep their fresh rows."""
    outputs = head.module.state_dict()
    if not outputs:
        return
    card = read_card(folder)
    state = load_file(folder / HEAD)
    old = _outputs(card.labels, len(state["bias"]))
    with torch.no_grad():
        for label, rows in _outputs(head.labels, len(outputs["bias"])).items():
            for name, values in state.items():
                if label in old:
                    outputs[name][rows] = values[old[label]].to(outputs[name].device)


def _outputs(labels: tuple[str, ...], width: int) -> dict[str, list[int]]:
    """Which outputs belong to each label: one for a classifier; two (begin, inside) after `outside` for a tagger."""
    if width == len(labels):
        return {label: [place] for place, label in enumerate(labels)}
    return {"": [0]} | {label: [1 + 2 * place, 2 + 2 * place] for place, label in enumerate(labels)}


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The adapter's weights, digests checked first.

    Raises:
        AdapterMismatch: damaged.
    """
    _verify(folder)
    try:
        weights: dict[str, Tensor] = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise AdapterMismatch(f"{folder / WEIGHTS} cannot be read: {error}") from error
    return weights


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AdapterMismatch(f"{path} cannot be read: {error}") from error
    if not isinstance(raw, dict):
        raise AdapterMismatch(f"{path} holds no object")
    return raw
