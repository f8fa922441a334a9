"""An adapter as the folder that is served: its weights in bf16, what it is, and its card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save

MARK = "emowhy.json"
"""Written last: a folder that has it is a finished adapter."""

WEIGHTS, _CONFIG = "adapter_model.safetensors", "adapter_config.json"


def rounded(checkpoint: Path) -> dict[str, torch.Tensor]:
    """A checkpoint's adapter weights in bf16, in which they are served."""
    held = load_file(checkpoint / WEIGHTS)
    return {name: weights.to(torch.bfloat16).contiguous() for name, weights in held.items()}


def write_weights(weights: Mapping[str, torch.Tensor], checkpoint: Path, base: str, out: Path) -> None:
    """The weights and PEFT's configuration, which names the base as users do, not where it lay."""
    config = json.loads((checkpoint / _CONFIG).read_text(encoding="utf-8"))
    modules = sorted(config["target_modules"])  # PEFT writes a set, in another order each time
    config |= {"base_model_name_or_path": base, "inference_mode": True, "target_modules": modules}
    keep_text(out / _CONFIG, json.dumps(config, indent=2, sort_keys=True) + "\n")
    part = out / f"{WEIGHTS}.part"
    part.write_bytes(save(dict(weights), metadata={"format": "pt"}))
    part.replace(out / WEIGHTS)


def write_about(about: Mapping[str, Any], card: str, out: Path) -> None:
    """The card, and last of all what the adapter is."""
    keep_text(out / "README.md", card)
    keep_text(out / MARK, json.dumps(about, indent=1, ensure_ascii=False) + "\n")


def keep_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
