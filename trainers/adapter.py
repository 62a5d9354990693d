"""LoRA adapters on a resident base: attach, activate, save, load, drop. The only file that imports peft.

Adapters are plain: explicit target modules, no bias, no `modules_to_save`, no added tokens, safetensors in one flat
folder; so any serving engine that reads PEFT folders takes them. The base's own weights never change.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from peft import LoraConfig, PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from trainers.errors import AdapterMismatch
from trainers.tracks import Track

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"

State = dict[str, Tensor]


class Adapters:
    """The adapters attached to one base, by name; at most one acts at a time."""

    def __init__(self, base: Any) -> None:
        self._base = base
        self._peft: PeftModel | None = None

    def attach(self, name: str, track: Track) -> list[Tensor]:
        """A fresh adapter (output unchanged until it trains); gives its parameters, in a fixed order."""
        return self._add(name, _config(track, int(self._base.config.num_hidden_layers)))

    def load(self, name: str, folder: Path) -> None:
        """The adapter of a PEFT folder.

        Raises:
            AdapterMismatch: files missing or damaged, or weights of another base.
        """
        try:
            config = LoraConfig.from_pretrained(str(folder))
            state = load_file(folder / WEIGHTS)
        except (OSError, ValueError, TypeError, SafetensorError) as error:
            raise AdapterMismatch(f"{folder} holds no readable adapter: {error}") from error
        try:
            self._add(name, config)
            self.restore(name, state)
        except (ValueError, RuntimeError) as error:
            raise AdapterMismatch(f"the adapter in {folder} does not fit this base: {error}") from error

    def _add(self, name: str, config: LoraConfig) -> list[Tensor]:
        if self._peft is None:
            self._peft = PeftModel(self._base, config, adapter_name=name, autocast_adapter_dtype=False)
        else:
            self._peft.add_adapter(name, config, autocast_adapter_dtype=False)
        self._peft.eval()
        self._peft.set_adapter(name)
        own = f".{name}."
        return [p.requires_grad_() for key, p in sorted(self._peft.named_parameters()) if own in key]

    def state(self, name: str) -> State:
        """A copy of an adapter's weights, named as PEFT names them in files."""
        state = self._weights(name)
        return {key: tensor.detach().cpu().clone().contiguous() for key, tensor in sorted(state.items())}

    def restore(self, name: str, state: State) -> None:
        """Puts back a copy made by `state`.

        Raises:
            AdapterMismatch: names that this adapter lacks or does not know.
        """
        expected = set(self._weights(name))
        if odd := expected ^ set(state):
            raise AdapterMismatch(f"{len(odd)} adapter weights do not match this base, such as {min(odd)!r}")
        set_peft_model_state_dict(self._peft, state, adapter_name=name)

    def _weights(self, name: str) -> State:
        weights: State = get_peft_model_state_dict(self._peft, adapter_name=name, save_embedding_layers=False)
        return weights

    def save(self, name: str, folder: Path, base_model: str, revision: str | None) -> None:
        """Writes weights and configuration into the folder, byte for byte the same for the same adapter."""
        assert self._peft is not None, "nothing is attached"
        config = {**self._peft.peft_config[name].to_dict(), "inference_mode": True}
        config |= {"base_model_name_or_path": base_model, "revision": revision}
        config["target_modules"] = sorted(config["target_modules"])
        text = json.dumps(config, indent=2, sort_keys=True, default=str)
        (folder / CONFIG).write_text(text + "\n", encoding="utf-8")
        save_file(self.state(name), folder / WEIGHTS, metadata={"format": "pt"})

    def drop(self, name: str) -> None:
        """Forgets an adapter; with the last one the base is as it was loaded."""
        if self._peft is None or name not in self._peft.peft_config:
            return
        others = [other for other in self._peft.peft_config if other != name]
        if others:
            self._peft.set_adapter(others[0])
            self._peft.delete_adapter(name)
            return
        self._peft.unload()
        self._peft = None

    @contextmanager
    def active(self, name: str | None) -> Iterator[nn.Module]:
        """The base with this adapter acting, or, with None, the bare base."""
        if self._peft is None:
            yield self._base
        elif name is None:
            with self._peft.disable_adapter():
                yield self._base
        else:
            self._peft.set_adapter(name)
            yield self._base


def _config(track: Track, layers: int) -> LoraConfig:
    first = layers - min(track.last_layers or layers, layers)
    return LoraConfig(
        r=track.rank,
        lora_alpha=track.alpha,
        target_modules=list(track.target_modules),
        layers_to_transform=list(range(first, layers)) if first or track.kind == "encoder" else None,
        lora_dropout=0.0,
        bias="none",
        task_type="FEATURE_EXTRACTION" if track.kind == "encoder" else "CAUSAL_LM",
    )
