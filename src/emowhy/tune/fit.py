"""Do an adapter's tensors fit its base? Their names and shapes against those that PEFT would make, without weights."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emowhy.engines.lora import WEIGHTS
from emowhy.errors import InputError, MissingError
from emowhy.models import Model

_NAMED = 3  # tensors in a message
_UP = ("lora_B", "lora_embedding_B")  # an adapter whose up-projections are 0 adds nothing


@dataclass(frozen=True)
class Fit:
    """What was found: `faults` in sentences, tuned modules, their last names, and whether the adapter is `idle`.

    `of` is how many modules of those names the base has; `embeddings` are the tuned ones that hold words (input or
    output embeddings); `idle` says that all up-projections are 0.
    """

    faults: tuple[str, ...]
    modules: int = 0
    of: int = 0
    kinds: tuple[str, ...] = ()
    embeddings: tuple[str, ...] = ()
    idle: bool = False

    @property
    def same(self) -> bool:
        """Whether the adapter can be put onto its base."""
        return not self.faults


def compare_tensors(folder: Path, base: Model) -> Fit:
    """The adapter in `folder` against its base, of which only the configuration is read.

    Raises:
        MissingError: the weights, or the base, are not there.
        InputError: the weights are damaged.
    """
    held, idle, odd = _read(folder / WEIGHTS)
    net = _hollow(base)
    words, names = _embeddings(net), [name for name, _ in net.named_modules()]  # before PEFT wraps them
    try:
        wanted = _shapes_wanted(folder, net)
    except ValueError as error:
        return Fit((f"{base.name}: {str(error).splitlines()[0]}",))
    faults = [*_differences(held, wanted, base.name), *([f"{odd} is not a number everywhere"] if odd else [])]
    modules = sorted({name.rpartition(".lora_")[0] for name in held if ".lora_" in name})
    kinds = tuple(sorted({module.rpartition(".")[2] for module in modules}))
    of = sum(name.rpartition(".")[2] in kinds for name in names)
    return Fit(tuple(faults), len(modules), of, kinds, tuple(kind for kind in kinds if kind in words), idle)


def _read(file: Path) -> tuple[dict[str, tuple[int, ...]], bool, str | None]:
    """Names and shapes, whether every up-projection is 0, and the first tensor that holds NaN or infinity."""
    from safetensors import SafetensorError, safe_open

    if not file.is_file():
        raise MissingError(f"no {file.name} in {file.parent.absolute()}", "name the folder of an adapter")
    shapes: dict[str, tuple[int, ...]] = {}
    odd: str | None = None
    ups = moved = 0
    try:
        with safe_open(file, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118  (it is no mapping)
                tensor = opened.get_tensor(name)
                shapes[name] = tuple(tensor.shape)
                if any(f".{part}" in name for part in _UP):
                    ups, moved = ups + 1, moved + bool(tensor.any())
                if odd is None and not tensor.isfinite().all():
                    odd = name
    except (SafetensorError, OSError) as error:
        raise InputError(f"{file} is damaged: {error}", "copy the adapter again") from error
    has_magnitudes = any("lora_magnitude_vector" in name for name in shapes)  # DoRA's change without the up-projection
    return shapes, ups > 0 and moved == 0 and not has_magnitudes, odd


def _hollow(base: Model) -> Any:
    """The base without its weights: every tensor on torch's device "meta"."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(base.path)
    except (OSError, ValueError) as error:
        raise MissingError(f"model {base.name!r}: {str(error).splitlines()[0]}", "check --model") from error
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)


def _shapes_wanted(folder: Path, net: Any) -> dict[str, tuple[int, ...]]:
    """What PEFT would save of an adapter with this configuration on this base."""
    from peft import PeftConfig, get_peft_model, get_peft_model_state_dict

    config = PeftConfig.from_pretrained(str(folder))
    if hasattr(config, "init_lora_weights"):
        config.init_lora_weights = True  # how it began does not matter, and some beginnings read the weights
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about tied embeddings, which are told in our own words
        tuned = get_peft_model(net, config, low_cpu_mem_usage=True)
        state = get_peft_model_state_dict(tuned, save_embedding_layers=False)
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def _differences(
    held: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]], base: str
) -> Iterator[str]:
    missing = sorted(wanted.keys() - held.keys())
    extra = sorted(name for name in held.keys() - wanted.keys() if not name.endswith(".base_layer.weight"))
    other = sorted(name for name in held.keys() & wanted.keys() if held[name] != wanted[name])
    if missing:
        yield f"{len(missing)} tensors that {base} needs are not in it: {_named(missing)}"
    if extra:
        yield f"{len(extra)} of its tensors have no place in {base}: {_named(extra)}"
    if other:
        first = other[0]
        yield (
            f"{len(other)} of its tensors have other shapes than {base} needs: {first} is {held[first]}, "
            f"not {wanted[first]}"
        )


def _named(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")


def _embeddings(net: Any) -> frozenset[str]:
    """The last names of the modules that are a model's input and output embeddings."""
    words = {id(net.get_input_embeddings()), id(net.get_output_embeddings())}
    return frozenset(name.rpartition(".")[2] for name, module in net.named_modules() if id(module) in words)
