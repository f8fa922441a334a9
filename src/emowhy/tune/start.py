"""The adapter that a training goes on from: found, compared with the recipe, and put where the fresh one was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emowhy.engines.lora import WEIGHTS, adapter_hash, unserved
from emowhy.errors import MissingError, UsageError
from emowhy.models import Model, adapter_config, find_adapter, origin
from emowhy.tune.recipe import LoraRecipe, TuneRecipe

_SAME = {"r": "rank", "lora_alpha": "alpha", "use_rslora": "rslora", "use_dora": "dora"}
"""PEFT's name of what must be as the recipe has it -> the recipe's."""


@dataclass(frozen=True)
class Start:
    """`told` is what its tuning wrote about it (empty if nobody did), `sha256` 16 hex digits over weights and
    configuration."""

    folder: Path
    sha256: str
    told: Mapping[str, Any]


def find_start(recipe: TuneRecipe, base: Model) -> Start | None:
    """The adapter of `recipe.start`; None where the training begins anew.

    Raises:
        MissingError: it is not there, or is damaged.
        UsageError: it is of another base, or another kind of adapter than the recipe makes.
    """
    if recipe.start is None:
        return None
    try:
        folder = find_adapter(recipe.start)
    except MissingError as error:
        raise MissingError(f"start: {error.message}", "tune it first, or start: null in the recipe") from None
    if folder is None or not (folder / WEIGHTS).is_file():
        raise MissingError(f"start: no {WEIGHTS} in {recipe.start}", "tune it first, or start: null in the recipe")
    config, told = adapter_config(folder), origin(folder)
    _check_base(recipe, base, told.get("base") or config.get("base_model_name_or_path"), told.get("base_sha256"))
    _check_kind(recipe.start, recipe.lora, config)
    return Start(folder, adapter_hash(folder)[:16], told)


def load_start(model: Any, start: Start) -> None:
    """Put its weights into the model's adapter, which was made from the recipe and keeps its number type.

    Raises:
        MissingError: its weights are damaged.
        UsageError: they are of other modules.
    """
    from peft import get_peft_model_state_dict, set_peft_model_state_dict
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        held = load_file(start.folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise MissingError(f"{start.folder / WEIGHTS} is damaged: {error}", "tune it again") from error
    wanted = {name: weights.shape for name, weights in get_peft_model_state_dict(model).items()}
    if {name: weights.shape for name, weights in held.items()} != wanted:
        raise UsageError(
            f"start: {start.folder} tunes {_modules(held)}; the recipe tunes {_modules(wanted)}",
            f"lora.modules: [{_modules(held)}], and the base that it was tuned on",
        )
    set_peft_model_state_dict(model, held)


def _check_base(recipe: TuneRecipe, base: Model, named: Any, tuned: Any) -> None:
    known = base.identity.get("sha256")
    if known and tuned:
        other = f"{named} {tuned}" if known != tuned else None
    else:  # by name, where the weights of one of them are not known
        other = str(named) if named and str(named) not in (recipe.base, base.path) else None
    if other:
        raise UsageError(
            f"start: {recipe.start} was tuned on {other}; the recipe's base is {recipe.base} {known or ''}".rstrip(),
            f"base: {named}, with the weights of its tuning",
        )


def _check_kind(start: str, lora: LoraRecipe, config: Mapping[str, Any]) -> None:
    own = {name: getattr(lora, name) for name in _SAME.values()}
    its = {name: config.get(key, False) for key, name in _SAME.items()}
    if differing := [name for name in own if own[name] != its[name]]:
        told = ", ".join(f"{name} {_spell(its[name])}, not {_spell(own[name])}" for name in differing)
        cure = ", ".join(f"{name}: {_spell(its[name])}" for name in differing)
        raise UsageError(f"start: {start} has {told}", f"lora: {{{cure}}} in the recipe")
    odd = unserved({**config, "use_dora": False})
    odd += [f"its {key} differs by module" for key in ("rank_pattern", "alpha_pattern") if config.get(key)]
    if odd:
        raise UsageError(f"start: {start} is no adapter that a recipe makes: {'; '.join(odd)}", "start: null")


def _spell(value: Any) -> str:
    """As YAML has it."""
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"


def _modules(names: Mapping[str, Any]) -> str:
    kinds = {name.partition(".lora_")[0].rpartition(".")[2] for name in names}
    return ", ".join(sorted(kinds))
