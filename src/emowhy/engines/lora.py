"""Which LoRA adapters vLLM serves, with which flags, and under which name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emowhy.errors import MissingError, UsageError
from emowhy.models import adapter_config, file_hash

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""LoRA ranks that vLLM can serve (as a maximum)."""

WEIGHTS = "adapter_model.safetensors"

# Settings of a PEFT adapter that vLLM 0.32 refuses, or leaves out.
_REFUSED = {
    "use_dora": "it uses DoRA",
    "modules_to_save": "it uses modules_to_save",
    "lora_bias": "it trains biases",
    "alora_invocation_tokens": "it uses activated LoRA",
    "layer_replication": "it repeats layers of its base",
    "use_qalora": "it uses QALoRA",
    "use_bdlora": "it uses block-diagonal LoRA",
    "trainable_token_indices": "it trains single tokens' embeddings",
}
_PLAIN_STARTS = ("gaussian", "eva", "orthogonal", "mica", "lora_ga")  # the others rewrite the base's own weights


def largest_rank(config: Mapping[str, Any]) -> int:
    """The largest rank of any of an adapter's modules; 0 where none is stated."""
    stated = [config.get("r"), *(config.get("rank_pattern") or {}).values()]
    return max((rank for rank in stated if isinstance(rank, int)), default=0)


def unserved(config: Mapping[str, Any]) -> list[str]:
    """Why vLLM cannot serve an adapter with this configuration; empty where it can."""
    found = [told for key, told in _REFUSED.items() if config.get(key)]
    if (kind := config.get("peft_type", "LORA")) != "LORA":
        found.append(f"it is no LoRA but {kind}")
    if (config.get("bias") or "none") != "none":
        found.append("it trains biases")
    start = config.get("init_lora_weights")
    if isinstance(start, str) and start.lower() not in _PLAIN_STARTS:
        found.append(f"its start, {start}, rewrote weights of its base")
    if (rank := largest_rank(config)) > RANKS[-1]:
        found.append(f"rank {rank} is over {RANKS[-1]}")
    return list(dict.fromkeys(found))


def lora_arguments(adapter: Path | None) -> dict[str, Any]:
    """The engine arguments that an adapter needs. Raises UsageError for one that vLLM cannot serve."""
    if adapter is None:
        return {}
    config = adapter_config(adapter)
    if reasons := unserved(config):
        cure = f"merge it into its base first: emowhy tune merge {adapter} -o DIR"
        raise UsageError(f"vLLM cannot serve the adapter {adapter}: {'; '.join(reasons)}", cure)
    rank = largest_rank(config)
    return {"enable_lora": True, "max_loras": 1, "max_lora_rank": next(r for r in RANKS if r >= max(rank, 8))}


def adapter_hash(adapter: Path) -> str:
    """SHA-256 over an adapter's weights and its configuration (the scale there counts too): 64 hex digits."""
    return hashlib.sha256(
        (file_hash(adapter / WEIGHTS) + file_hash(adapter / "adapter_config.json")).encode()
    ).hexdigest()


def adapter_name(adapter: Path) -> str:
    """The name an adapter is served under: its folder's, with a hash of its content.

    So what a server has cached under a name stays right for ever: other content has another name. What a URL or a flag
    could misread in the folder's name becomes a hyphen.
    """
    if not (adapter / WEIGHTS).is_file():
        raise MissingError(f"no {WEIGHTS} in {adapter.absolute()}", "check --adapter")
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '-', adapter.absolute().name)}-{adapter_hash(adapter)[:8]}"
