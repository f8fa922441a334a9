"""A trainer for a recipe: its arguments, its batches, and what is made sure of before the first step."""

from __future__ import annotations

import importlib.util
import inspect
import os
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import PrinterCallback, TrainingArguments

from emowhy.errors import MissingError, UsageError
from emowhy.tune.batches import Packed, Padded, Planned, check_packing, completion_loss, plan
from emowhy.tune.evaluate import LoadedEngine, answer_all, figures
from emowhy.tune.learned import Learned, Looks
from emowhy.tune.recipe import TuneRecipe
from emowhy.tune.tokens import check_taught
from emowhy.tune.trainer import AdapterTrainer, Say, Watch

_LOG_EVERY = 10  # steps


def make_trainer(
    recipe: TuneRecipe, learned: Learned, work: Path, looks: Looks, say: Say, stop_after: int | None, resumed: bool
) -> AdapterTrainer:
    """A trainer whose first batch was looked at.

    Raises:
        UsageError: the batch teaches what it should not, packing would not be exact, or the processes are started in a
            way that cannot work.
        MissingError: TensorBoard is asked for and is not installed.
    """
    train = recipe.train
    _check_model(learned.model)
    batches = Packed() if train.packing else Padded(_pad(learned.tokenizer))
    order = plan([len(e.ids) for e in learned.train.examples], train.batch, train.epochs, recipe.seed)
    first = order[: train.batch]
    labels = batches([learned.train.examples[i] for i in first])["labels"]
    check_taught(labels, [learned.train.rows[i] for i in first], learned.tokenizer, learned.end)

    def measure(model: Any) -> dict[str, float]:
        if not learned.asked:
            return {}
        model.eval()
        return figures(learned.asked, answer_all(LoadedEngine(model, learned.tokenizer), learned.asked))

    trainer = AdapterTrainer(
        work,
        measure,
        looks.choose,
        model=learned.model,
        args=_arguments(recipe, learned, work, looks, resumed),
        data_collator=batches,
        train_dataset=Planned(learned.train.examples, order),
        eval_dataset=Planned(learned.dev.examples, _by_length(learned)),
        compute_loss_func=completion_loss,
        callbacks=[Watch(say, train.epochs, stop_after)],
    )
    trainer.remove_callback(PrinterCallback)
    _check_processes(trainer)
    if train.packing:
        check_packing(learned.model, learned.train.examples)
    transformers.set_seed(recipe.seed)  # whatever was looked at before must not move the dropout
    return trainer


def _arguments(recipe: TuneRecipe, learned: Learned, work: Path, looks: Looks, resumed: bool) -> TrainingArguments:
    """The schedule as the trainer takes it. All epochs are one to it: see `plan`."""
    train = recipe.train
    if looks.tensorboard:
        _prepare_tensorboard(work.parent / "tensorboard")
    return TrainingArguments(
        output_dir=str(work),
        seed=recipe.seed,
        num_train_epochs=1,
        train_sampling_strategy="sequential",
        per_device_train_batch_size=train.batch,
        per_device_eval_batch_size=train.batch,
        gradient_accumulation_steps=train.accumulate,
        learning_rate=train.peak,
        lr_scheduler_type="cosine",
        warmup_steps=train.warmup,  # below 1 it is a share of all steps
        weight_decay=0.0,
        max_grad_norm=1.0,
        bf16=learned.dtype is torch.bfloat16,
        use_cpu=not torch.accelerator.is_available(),
        gradient_checkpointing=train.checkpointing,
        gradient_checkpointing_kwargs={"use_reentrant": False} if train.checkpointing else None,
        eval_strategy="steps",
        eval_steps=train.evaluate_every,
        eval_on_start=not resumed,  # the figures of the base
        save_strategy="steps",
        save_steps=train.evaluate_every,
        metric_for_best_model="choose",
        greater_is_better=True,
        logging_steps=min(_LOG_EVERY, train.evaluate_every),
        report_to=["tensorboard"] if looks.tensorboard else "none",
        prediction_loss_only=True,
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_pin_memory=torch.accelerator.is_available(),
        ddp_find_unused_parameters=False,
        disable_tqdm=True,
        log_level="error",
        log_level_replica="error",
    )


def _pad(tokenizer: Any) -> int:
    return int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id)


def _by_length(learned: Learned) -> list[int]:
    examples = learned.dev.examples
    return sorted(range(len(examples)), key=lambda i: len(examples[i].ids))


def _check_model(model: Any) -> None:
    if "logits_to_keep" not in inspect.signature(model.get_base_model().forward).parameters:
        kind = type(model.get_base_model()).__name__
        raise UsageError(f"{kind} has no logits_to_keep: it computes the logits of prompts too", "choose another base")


def _check_processes(trainer: AdapterTrainer) -> None:
    if trainer.args.n_gpu > 1:  # the trainer would copy the model to each of them in every step
        raise UsageError(
            f"one process sees {trainer.args.n_gpu} GPUs",
            "accelerate launch -m emowhy tune run …, or choose one with CUDA_VISIBLE_DEVICES=0",
        )
    if os.environ.get("ACCELERATE_USE_FSDP") == "true" and not trainer.is_fsdp_enabled:
        raise UsageError(
            "FSDP is asked for, and nothing is shared: accelerate does so between several GPUs only",
            "leave the FSDP configuration out, or start one process a GPU",
        )
    if trainer.is_fsdp_enabled and "FULL" not in str(trainer.accelerator.state.fsdp_plugin.state_dict_type):
        raise UsageError(
            "sharded checkpoints hold no adapter that could be served",
            "fsdp_state_dict_type: FULL_STATE_DICT in the accelerate configuration",
        )


def _prepare_tensorboard(folder: Path) -> None:
    if not any(importlib.util.find_spec(name) for name in ("tensorboard", "tensorboardX")):
        raise MissingError("TensorBoard is not installed", "pip install tensorboard, or leave --tensorboard out")
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(folder)
