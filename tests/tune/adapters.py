"""Adapters as small as adapters get, with what tuning writes beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emowhy.models import find_model
from emowhy.prompt import load_strategy


def make_adapter(folder: Path, base: Path, scale: float = 0.5, **config: Any) -> Path:
    """A LoRA adapter for `base` whose up-projections are drawn with the standard deviation `scale`."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    wanted = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "CAUSAL_LM", **config}
    net = get_peft_model(AutoModelForCausalLM.from_pretrained(base), LoraConfig(**wanted))
    with torch.no_grad():
        for name, weights in net.named_parameters():
            if "lora_B" in name:
                weights.normal_(0, scale)
    net.save_pretrained(folder)
    change_config(folder, base_model_name_or_path=str(base))
    return folder


def tell(folder: Path, base: Path, **more: Any) -> Path:
    """What tuning writes about an adapter: its base, and the templates of `given` and `direct` as they are."""
    templates = {name: load_strategy(name).hash for name in ("given", "direct")}
    told: Mapping[str, Any] = {
        "base": str(base),
        "base_sha256": find_model(str(base)).identity["sha256"],
        "templates": templates,
        "trained_on": ["goemotions:train"],
        "chosen_on": ["goemotions:dev"],
        "licence": "Apache-2.0",
    }
    (folder / "emowhy.json").write_text(json.dumps({**told, **more}))
    return folder


def change_config(folder: Path, **changes: Any) -> Path:
    """Other values in an adapter's own configuration."""
    file = folder / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    return folder


def copy(folder: Path, to: Path) -> Path:
    """A copy that a test may damage."""
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    return to
