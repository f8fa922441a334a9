"""`emowhy tune run`: a base learns rows, and its best adapter becomes a folder that can be served.

    rows ─tokens─▶ examples ─plan─▶ batches ─trainer─▶ checkpoints ─best on dev─▶ weights, emowhy.json, card

transformers' Trainer, PEFT and accelerate do the work on a CPU, a GPU or several; how many is accelerate's matter:

    accelerate launch -m emowhy tune run RECIPE --rows rows -o OUT
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from peft import set_peft_model_state_dict

from emowhy.errors import EngineError, UsageError, missing_extra, nearest
from emowhy.models import Model, find_model, origin
from emowhy.tune import export
from emowhy.tune.belong import check_rows, check_tuned, check_work
from emowhy.tune.build import make_trainer
from emowhy.tune.card import bench_command, card
from emowhy.tune.evaluate import CHOICES, worth
from emowhy.tune.folder import read_folder
from emowhy.tune.learned import Learned, Looks, prepare
from emowhy.tune.provenance import describe, looks_of, seen_sets
from emowhy.tune.recipe import TuneRecipe
from emowhy.tune.start import Start, find_start, load_start
from emowhy.tune.trainer import AdapterTrainer, Say, checkpoints


def run(
    recipe: TuneRecipe,
    rows: Path,
    out: Path,
    command: str,
    say: Say,
    looks: Looks | None = None,
    stop_after: int | None = None,
) -> dict[str, Any]:
    """Tune what the recipe says on the rows of a folder, into the folder `out`; returns what `out/emowhy.json` holds.

    With a reward in the recipe the adapter learns by reinforcement (`emowhy.tune.grpo`), else from the completions.

    The same call goes on from the last checkpoint in `out/work` and ends with the same weights. Empty for processes
    beside the main one, and where `stop_after` ended the call after so many steps, as a kill would.

    Raises:
        UsageError: rows, recipe, base and what `out` holds do not belong together, or the rows cannot be learned.
        InputError: with a reward, no row's reply names emotions.
        MissingError: a file, the base, the start, or a package is not there.
        CheckpointError: a checkpoint could not be written; those before it are whole.
        EngineError: the device ran out of memory.
    """
    state = PartialState(cpu=not torch.accelerator.is_available())
    say = say if state.is_main_process else _silent
    looks = looks or Looks(recipe.train.answer, recipe.train.choose)
    if looks.choose not in CHOICES:
        raise UsageError(f"no figure {looks.choose!r} to choose by", nearest(looks.choose, CHOICES))
    folder, base = read_folder(rows), find_model(recipe.base)
    check_rows(recipe, folder, base)
    make, start = _maker(recipe), find_start(recipe, base)
    if (out / export.MARK).is_file():
        told = origin(out)
        check_tuned(recipe, folder, base, start, looks, told)
        say(f"{out} is tuned already")
        return told if state.is_main_process else {}
    work = out / "work"
    work.mkdir(parents=True, exist_ok=True)
    with state.main_process_first():
        check_work(recipe, folder, _begun_from(base, start), looks, work)
    learned = prepare(recipe, folder, base, looks, say)
    if start is not None:
        load_start(learned.model, start)
    last = next(reversed(checkpoints(work).values()), None)
    trainer = make(recipe, learned, work, looks, say, stop_after, last is not None)
    if last is not None:
        say(f"going on from {last}")
    try:
        trainer.train(resume_from_checkpoint=last and str(last))
    except torch.OutOfMemoryError as error:
        cure = "halve train.batch and double train.accumulate, or checkpointing: true"
        raise EngineError("the device ran out of memory", cure) from error
    if trainer.state.global_step < trainer.state.max_steps:
        return {}
    return _finish(recipe, learned, start, trainer, out, command, say)


def _maker(recipe: TuneRecipe) -> Callable[..., AdapterTrainer]:
    """What makes the trainer that the recipe wants. Raises MissingError where that takes a package that is missing."""
    if recipe.reward is None:
        return make_trainer
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TRL's, about a vLLM that is not used here
            from emowhy.tune.grpo import make_group_trainer
    except ImportError as error:
        raise missing_extra(f"a recipe with a reward ({error.name})", "grpo") from error
    return make_group_trainer


def _begun_from(base: Model, start: Start | None) -> Model:
    """The base with what is loaded onto it, so that a start that was tuned anew is another training."""
    return base if start is None else replace(base, identity={**base.identity, "start": start.sha256})


def _silent(line: str) -> None:
    """What the processes beside the main one say."""


def _finish(
    recipe: TuneRecipe,
    learned: Learned,
    start: Start | None,
    trainer: AdapterTrainer,
    out: Path,
    command: str,
    say: Say,
) -> dict[str, Any]:
    """Make the best checkpoint the adapter, measure it as it will be served, and say what it is."""
    best = trainer.state.best_global_step
    if not best:
        raise UsageError("the training diverged: no figure on dev is a number", "lower train.peak in the recipe")
    checkpoint = checkpoints(trainer.work)[best]
    weights = export.rounded(checkpoint)
    log = looks_of(trainer)
    before, *_, after = log[0], *(look for look in log if look["step"] == best)
    if not trainer.is_fsdp_enabled:  # where a process holds only a part of the model, the rounded weights go unmeasured
        set_peft_model_state_dict(learned.model, weights)
        after = {**after, **trainer.measure(learned.model)}
    if not trainer.is_world_process_zero():
        return {}
    export.write_weights(weights, checkpoint, recipe.base, out)
    sets = seen_sets(recipe, start)
    about = describe(recipe, learned, start, trainer, sets, command)
    about["figures"] = {"before": _without_step(before), "after": _without_step(after)}
    about["bytes"] = (out / export.WEIGHTS).stat().st_size
    export.write_about(about, card(recipe, about, sets, log, command), out)
    say(f"{out} holds the adapter of step {best}; {trainer.work} is no longer needed")
    if worth(after, trainer.choose) < worth(before, trainer.choose):
        say(f"by {trainer.choose} on dev it is worse than what it started from: look at the figures before you use it")
    if recipe.evaluate.tasks:
        say(f"measure it: {bench_command(recipe, str(out))}")
    return about


def _without_step(look: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in look.items() if name != "step"}
