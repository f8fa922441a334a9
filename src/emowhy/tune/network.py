"""The base, and a fresh adapter on it."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

import numpy as np
import torch

from emowhy.errors import MissingError, UsageError
from emowhy.models import Model
from emowhy.tune.recipe import LoraRecipe


def pick_dtype(precision: str) -> torch.dtype:
    """The numbers that the base is held and multiplied in; `auto`: bf16 where the processor multiplies it natively."""
    if precision == "auto":
        native = torch.cuda.is_bf16_supported() if torch.cuda.is_available() else _cpu_has_bf16()
        precision = "bf16" if native else "fp32"
    return {"bf16": torch.bfloat16, "fp32": torch.float32}[precision]


def _cpu_has_bf16() -> bool:
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def load_base(found: Model, dtype: torch.dtype) -> tuple[Any, Any]:
    """The base and its tokenizer. Raises MissingError where they cannot be had."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(found.path)
        if _is_sent_weights():
            return _load_empty(found.path, dtype), tokenizer
        model = transformers.AutoModelForCausalLM.from_pretrained(found.path, dtype=dtype)
    except OSError as error:
        reason = str(error).splitlines()[0]
        raise MissingError(f"base {found.name!r}: {reason}", "check base in the recipe") from error
    return model, tokenizer


def _is_sent_weights() -> bool:
    """Whether FSDP2 will send this process its share of the weights, which the main process alone reads."""
    from accelerate import PartialState
    from transformers.integrations import is_fsdp_enabled

    second = os.environ.get("FSDP_VERSION") == "2"
    return second and is_fsdp_enabled() and not PartialState().is_main_process


def _load_empty(path: str, dtype: torch.dtype) -> Any:
    """The base with zeros for weights. The system hands out no memory for them: a base of 145 GB is held once, and not
    by every process of a machine."""
    import transformers
    from accelerate import init_empty_weights

    config = transformers.AutoConfig.from_pretrained(path)
    with init_empty_weights():
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=dtype)
    model._apply(lambda held: _untouched_zeros(held) if held.is_meta else held)
    model.tie_weights()
    with suppress(OSError):  # some have none
        model.generation_config = transformers.GenerationConfig.from_pretrained(path)
    return model


def _untouched_zeros(like: torch.Tensor) -> torch.Tensor:
    """Zeros whose pages nobody has written: torch would write them."""
    return torch.from_numpy(np.zeros(like.nbytes, np.uint8)).view(like.dtype).view(like.shape)


def add_adapter(model: Any, lora: LoraRecipe, seed: int) -> Any:
    """The base, frozen, with an adapter that changes nothing yet; its weights are fp32 whatever the base's are.

    Raises:
        UsageError: the base has no such modules.
    """
    import peft
    import transformers

    transformers.set_seed(seed)
    config = peft.LoraConfig(
        r=lora.rank,
        lora_alpha=int(lora.alpha) if lora.alpha.is_integer() else lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="all-linear" if lora.modules == "all" else list(lora.modules),
        use_rslora=lora.rslora,
        use_dora=lora.dora,
        bias="none",
        task_type="CAUSAL_LM",
    )
    try:
        return peft.get_peft_model(model, config)
    except ValueError as error:
        raise UsageError(
            f"lora.modules: {str(error).splitlines()[0]}", "modules: all takes every linear one"
        ) from error
