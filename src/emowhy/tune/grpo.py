"""Reinforcement learning with verifiable rewards: TRL's GRPO on the rows' prompts, with the looks of `tune run`.

A step asks `train.batch` times `train.accumulate` prompts, each `reward.samples` times; a reply is better or worse than
the others to its prompt (GRPO, 2402.03300), and its tokens count alike however long it is (the loss of DAPO,
2503.14476, as GRPO's own is mild on long wrong replies). Dev rows, checkpoints, the choice of the best and what is left
in the end are those of learning by heart. Killed and typed again it ends, on a CPU, with the same weights bit for bit.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from peft import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file
from transformers import PrinterCallback
from trl import GRPOConfig, GRPOTrainer

from datasets import Dataset
from emowhy.bench.consistency import find_reader
from emowhy.engines.chat_ids import chat_ids, messages_of
from emowhy.errors import InputError, UsageError
from emowhy.tune import export
from emowhy.tune.batches import completion_loss, plan
from emowhy.tune.build import make_trainer
from emowhy.tune.evaluate import Asked, ask
from emowhy.tune.learned import Learned, Looks
from emowhy.tune.recipe import RewardRecipe, TuneRecipe
from emowhy.tune.rewards import Rewards, earn_all
from emowhy.tune.tokens import Example, stop_ids
from emowhy.tune.trainer import AdapterTrainer, Say, Watch
from emowhy.types import Chat, Message, Reply

_PARTS = tuple(field.name for field in fields(Rewards))


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt to answer: its tokens, and the question with the gold labels."""

    ids: tuple[int, ...]
    asked: Asked


class GroupTrainer(AdapterTrainer, GRPOTrainer):  # type: ignore[misc]
    """GRPO that asks just the prompts it is given, looks at dev rows as `plain` does, and tells nobody of it.

    `unrewarded` is how many train rows it cannot learn from.
    """

    def __init__(self, plain: AdapterTrainer, prompts: Sequence[Prompt], unrewarded: int, **given: Any) -> None:
        self.plain = plain
        self.prompts = frozenset(prompt.ids for prompt in prompts)
        self.unrewarded = unrewarded
        super().__init__(plain.work, plain.measure, plain.choose, eval_dataset=plain.eval_dataset, **given)
        self.began = {name: held.clone() for name, held in get_peft_model_state_dict(self.model).items()}

    def train(self, *given: Any, **named: Any) -> Any:
        """Raises UsageError where the weights are still those of the beginning: nothing was there to learn from."""
        done = super().train(*given, **named)
        held = get_peft_model_state_dict(self.model)
        if self.state.global_step == self.state.max_steps and all(held[n].equal(self.began[n]) for n in held):
            raise UsageError(
                "nothing was learned: the replies to each prompt earned alike",
                "start: an adapter whose replies can be read (emowhy tune run on a recipe without reward); then more "
                "reward.samples, a higher reward.temperature, or more reward.tokens",
            )
        return done

    def compute_loss(self, model: Any, inputs: Any, *more: Any, **named: Any) -> Any:
        """GRPO's, of replies to these prompts only. Raises UsageError where the batch holds another."""
        for ids, mask in zip(inputs["prompt_ids"], inputs["prompt_mask"].bool(), strict=True):
            if tuple(ids[mask].tolist()) not in self.prompts:
                raise UsageError("this TRL asks other prompts than the rows hold", "pip install trl==1.16.0")
        return super().compute_loss(model, inputs, *more, **named)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
        """The dev rows with their completions: nothing is sampled for the loss."""
        size = self.args.per_device_eval_batch_size
        rows = torch.utils.data.DataLoader(self.eval_dataset, size, collate_fn=self.plain.data_collator)
        return self.accelerator.prepare(rows)

    def prediction_step(self, model: Any, inputs: Any, *more: Any, **named: Any) -> tuple[Any, None, None]:
        """The loss of the completions, as in learning by heart."""
        batch = {name: v.to(self.args.device) if torch.is_tensor(v) else v for name, v in inputs.items()}
        labels = batch.pop("labels")
        with torch.no_grad(), self.compute_loss_context_manager():
            return completion_loss(model(**batch), labels).detach(), None, None

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """The adapter is loaded here: beside one of another name (what `beta` compares with) it is left as it was."""
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        set_peft_model_state_dict(self.model, load_file(Path(resume_from_checkpoint) / export.WEIGHTS))

    def create_model_card(self, *given: Any, **named: Any) -> None:
        """The card is ours."""

    def _send_telemetry(self) -> None:
        """Nothing is sent."""

    def _tokenize_prompts(self, prompts: Sequence[Any]) -> tuple[list[list[int]], None, dict[str, Any]]:
        chats = [Chat(tuple(Message(**message) for message in prompt)) for prompt in prompts]
        return [chat_ids(self.processing_class, chat) for chat in chats], None, {}


class WatchEarnings(Watch):
    """Tells what replies earned, too, and to how many prompts they earned alike, which teaches nothing."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any, **more: Any) -> None:
        super().on_log(args, state, control, logs, **more)
        if "reward" in logs:
            parts = ", ".join(f"{name} {logs[f'rewards/{name}']:.3f}" for name in _PARTS)
            alike = 100 * logs["frac_reward_zero_std"]
            self.say(f"step {state.global_step} earned {logs['reward']:.3f} ({parts}); {alike:.0f}% of prompts alike")


def make_group_trainer(
    recipe: TuneRecipe, learned: Learned, work: Path, looks: Looks, say: Say, stop_after: int | None, resumed: bool
) -> GroupTrainer:
    """A trainer for a recipe with a reward; what it cannot learn from is told.

    Raises:
        InputError: no row's reply names emotions.
        UsageError: prompts and replies do not fit into the context, or as `make_trainer` says.
    """
    weights = recipe.reward or RewardRecipe()
    plain = make_trainer(recipe, learned, work, looks, say, stop_after, resumed)
    prompts = _rewardable(learned, weights, say)
    order = _order(prompts, recipe, plain.args.world_size)
    trainer = GroupTrainer(
        plain,
        prompts,
        unrewarded=len(learned.train.examples) - len(prompts),
        model=learned.model,
        reward_funcs=_earned(prompts, weights, learned),
        args=_arguments(plain, recipe, weights),
        train_dataset=Dataset.from_list([{"prompt": messages_of(prompts[i].asked.chat), "row": i} for i in order]),
        processing_class=learned.tokenizer,
        callbacks=[WatchEarnings(say, recipe.train.epochs, stop_after)],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _rewardable(learned: Learned, weights: RewardRecipe, say: Say) -> list[Prompt]:
    """The train rows whose replies name emotions; how many do not is told."""
    found = []
    for example, row in zip(learned.train.examples, learned.train.rows, strict=True):
        asked = ask(row, weights.tokens)
        if asked is not None and asked.sample.gold and asked.sample.gold.emotions:
            found.append(Prompt(_prompt_ids(example), asked))
    total = len(learned.train.examples)
    if not found:
        raise InputError(
            f"none of the {total} train rows can be rewarded: their replies name no emotion",
            "in the recipe's rows, tasks: {answer: 1} or strategies: {direct: 1, cot: 1}; then emowhy tune rows again",
        )
    if left_out := total - len(found):
        say(f"{left_out} of {total} train rows are left out: their replies name no emotion, which earns nothing here")
    _check_context(found, weights, learned)
    return found


def _prompt_ids(example: Example) -> tuple[int, ...]:
    return example.ids[: example.prompt]


def _check_context(prompts: Sequence[Prompt], weights: RewardRecipe, learned: Learned) -> None:
    context = getattr(learned.model.config.get_text_config(), "max_position_embeddings", None)
    longest = max(len(prompt.ids) for prompt in prompts)
    if context is not None and longest + weights.tokens > context:
        raise UsageError(
            f"reward.tokens: {weights.tokens} after a prompt of {longest} is more than {learned.base.name} reads",
            f"at most {context - longest}, or a lower train.max_tokens that leaves such prompts out",
        )


def _order(prompts: Sequence[Prompt], recipe: TuneRecipe, processes: int) -> list[int]:
    """The plan of a whole training; its last step is filled up with the first prompts, as TRL drops a short one."""
    train = recipe.train
    a_step = train.batch * train.accumulate * processes
    order = plan([len(prompt.ids) for prompt in prompts], a_step, train.epochs, recipe.seed)
    return [*order, *itertools.islice(itertools.cycle(order), -len(order) % a_step)]


def _arguments(plain: AdapterTrainer, recipe: TuneRecipe, weights: RewardRecipe) -> GRPOConfig:
    """The schedule of learning by heart, a batch now counting prompts."""
    ours = {
        "per_device_train_batch_size": recipe.train.batch * weights.samples,
        "num_generations": weights.samples,
        "num_generations_eval": 1,
        "max_completion_length": weights.tokens,
        "temperature": weights.temperature,
        "beta": weights.beta,
        "loss_type": "dapo",
        "shuffle_dataset": False,  # it is in the order of a plan
        "hub_token": None,
    }
    return GRPOConfig(**{**plain.args.to_dict(), **ours})


def _earned(prompts: Sequence[Prompt], weights: RewardRecipe, learned: Learned) -> Callable[..., list[float]]:
    """The rewards as TRL asks for them: of each completion's tokens, by the number of its prompt."""
    reader = find_reader(()) if weights.consistency else None
    stops = stop_ids(learned.tokenizer, learned.model.generation_config)

    def reward(completion_ids: Any, row: Any, log_metric: Any, **more: Any) -> list[float]:
        replies = [_reply(ids, learned.tokenizer, stops) for ids in completion_ids]
        found = earn_all([prompts[i].asked for i in row], replies, reader)
        for name in _PARTS:
            log_metric(f"rewards/{name}", sum(getattr(one, name) for one in found) / len(found))
        return [one.total(weights) for one in found]

    return reward


def _reply(ids: Sequence[int], tokenizer: Any, stops: frozenset[int]) -> Reply:
    """A completion as an engine would give it."""
    ended = bool(ids) and ids[-1] in stops
    text = tokenizer.decode(ids[:-1] if ended else ids, skip_special_tokens=True)
    return Reply(text, finish="stop" if ended else "length")
