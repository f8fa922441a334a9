"""The trainer: transformers' own, with a loss on completions only, dev figures by generating, and whole checkpoints.

TRL's SFTTrainer is not used for this: it renders prompt and completion again and silently drops what was cut, so that
the tokens would have to be made here anyway; off the GPU it computes the logits of every place; a loss of one's own
costs it a second forward pass; and it writes a card of its own. What is left of it is this class's base.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers import Trainer, TrainerCallback

from emowhy.batch import spell_seconds
from emowhy.errors import EmowhyError
from emowhy.tune.evaluate import worth

Say = Callable[[str], None]
Measure = Callable[[Any], Mapping[str, float]]

_PART = "part"
"""The folder in which a checkpoint is written until it is whole."""


class CheckpointError(EmowhyError):
    """A checkpoint that could not be written; those before it are whole."""

    exit_code = 1


class AdapterTrainer(Trainer):  # type: ignore[misc]
    """Checkpoints go to `work/checkpoint-STEP`; a folder of that name is whole. Kept are the last and the best.

    `measure` gives figures of a model; they are told and logged with the loss on the dev rows. `choose` is the figure
    that the best checkpoint has most of.
    """

    def __init__(self, work: Path, measure: Measure, choose: str, **given: Any) -> None:
        super().__init__(**given)
        self.work = work
        self.measure = measure
        self.choose = choose
        self._since = time.perf_counter()

    def evaluation_loop(self, *given: Any, **named: Any) -> Any:
        """The loss, and the figures of `measure`, as `eval_…`."""
        output = super().evaluation_loop(*given, **named)
        found = {"loss": float(output.metrics["eval_loss"]), **self.measure(self.model)}
        found["choose"] = worth(found, self.choose)
        output.metrics.update({f"eval_{name}": value for name, value in found.items()})
        return output

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds the seconds since the last entry; the log is part of what a resumed training goes on from."""
        now = time.perf_counter()
        super().log({**logs, "seconds": round(now - self._since, 2)}, start_time)
        self._since = now

    def _get_output_dir(self, trial: Any) -> str:
        return str(self.work / _PART)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Write a checkpoint beside its place and rename it once it is whole."""
        name = f"checkpoint-{self.state.global_step}"
        if self.is_world_process_zero():
            shutil.rmtree(self.work / _PART, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        try:
            super()._save_checkpoint(model, trial)
        except (OSError, RuntimeError, SafetensorError) as error:  # torch tells a full disk as a RuntimeError
            reason = str(error).splitlines()[0]
            raise CheckpointError(
                f"{self.work / name} could not be written: {reason}",
                "make room if there is none, then the same command again: it goes on from the checkpoint before",
            ) from error
        self.accelerator.wait_for_everyone()
        if self.is_world_process_zero():
            (self.work / _PART / name).replace(self.work / name)
            (self.work / _PART).rmdir()
            self._forget()
        self.accelerator.wait_for_everyone()

    def _forget(self) -> None:
        """Delete the checkpoints that are neither the last nor the best."""
        needed = {self.state.global_step, self.state.best_global_step}
        for step, path in checkpoints(self.work).items():
            if step not in needed:
                shutil.rmtree(path, ignore_errors=True)


def checkpoints(work: Path) -> dict[int, Path]:
    """The whole checkpoints by their steps, in order."""
    found = {int(path.name.removeprefix("checkpoint-")): path for path in work.glob("checkpoint-*")}
    return dict(sorted(found.items()))


class Watch(TrainerCallback):  # type: ignore[misc]
    """Tells how the training goes, looks at the dev rows after the last step too, and keeps every model it looked at.

    `stop_after` ends the training after so many steps of this call, nothing saved, as a kill would.
    """

    def __init__(self, say: Say, epochs: float, stop_after: int | None = None) -> None:
        self.say = say
        self.epochs = epochs
        self.stop_after = stop_after
        self.done = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        if args.eval_steps >= state.max_steps:
            self.say(
                f"one look, after the last of {state.max_steps} steps: nothing to choose from, and a kill starts anew; "
                "a lower train.evaluate_every keeps more"
            )

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self.done += 1
        control.should_evaluate |= state.global_step == state.max_steps
        if self.done == self.stop_after:
            control.should_training_stop = True
            control.should_evaluate = control.should_save = False

    def on_evaluate(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        control.should_save = True

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, float], **more: Any) -> None:
        if "loss" in logs:
            epoch = self.epochs * state.global_step / state.max_steps
            left = (state.max_steps - state.global_step) * logs["seconds"] / args.logging_steps
            self.say(
                f"step {state.global_step}/{state.max_steps} (epoch {epoch:.2f} of {self.epochs:g}), "
                f"loss {logs['loss']:.4f}, about {spell_seconds(left)} left"
            )
        elif "eval_loss" in logs:
            told = dev_figures(logs)
            self.say(f"step {state.global_step} on dev: {', '.join(f'{k} {v:.4f}' for k, v in told.items())}")


def dev_figures(logs: Mapping[str, float]) -> dict[str, float]:
    """The figures on dev rows in an entry of the trainer's log."""
    other = {"eval_runtime", "eval_samples_per_second", "eval_steps_per_second", "eval_choose"}
    return {k.removeprefix("eval_"): v for k, v in logs.items() if k.startswith("eval_") and k not in other}
