"""A tuning recipe: rows, adapter, schedule and evaluation in one YAML file whose first line runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from emowhy.prompt import Policy
from emowhy.yaml_model import read_model

TaskName = Literal["explain", "answer", "cause_given_emotion", "emotion_given_cause", "intensity", "valence", "choice"]
Weight = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Dropout(_Part):
    """In which share of the rows hints are left out, and in which they are made wrong."""

    missing: Share = 0.0
    wrong: Share = 0.0

    @model_validator(mode="after")
    def _check(self) -> Dropout:
        if self.missing + self.wrong > 1:
            raise ValueError("missing and wrong are shares of the same rows: at most 1 together")
        return self


class SetRecipe(_Part):
    """Rows of one data set that a loader reads (`data`), or of a `file` in the row format, beside the recipe.

    Up to `rows` samples of `split` are drawn (None: all), each used `times` times and given one of `tasks` by weight.
    `balance` evens out the labels: a sample is drawn with a weight of (its rarest label's count) to the power of
    -balance, so 0 leaves the data as they are. `specialists` give the hints here, `strategies` are drawn by weight,
    and `dropout` is done to the hints (None: as in all sets). An annotated quote that overlaps a hinted one by the
    share `follow` (intersection over union) is taught in the hint's words (None: never).
    `explanations` that annotators wrote are taught unless that is false: a very small model learns to invent from them.
    A file states its `labels`, its `licence`, and whether that allows `commercial` use.
    """

    data: str | None = None
    file: str | None = None
    split: str = "train"
    rows: Annotated[int, Field(ge=1)] | None = None
    times: Annotated[int, Field(ge=1)] = 1
    tasks: Annotated[dict[TaskName, Weight], Field(min_length=1)] = {"explain": 1.0}
    balance: Share = 0.0
    specialists: tuple[str, ...] | None = None
    strategies: Annotated[dict[str, Weight], Field(min_length=1)] | None = None
    dropout: Dropout | None = None
    follow: Annotated[float, Field(gt=0, le=1)] | None = None
    explanations: bool = True
    labels: str | None = None
    licence: str | None = None
    commercial: bool = False

    @model_validator(mode="after")
    def _check(self) -> SetRecipe:
        if (self.data is None) == (self.file is None):
            raise ValueError("a set has data or a file, one of them")
        if self.file is not None and not (self.labels and self.licence):
            raise ValueError("a file's labels and licence must be stated")
        _check_weights("tasks", self.tasks)
        if self.strategies is not None:
            _check_weights("strategies", self.strategies)
        return self

    @property
    def name(self) -> str:
        """ "goemotions:train", or the file's name."""
        return f"{self.data}:{self.split}" if self.data else Path(str(self.file)).name


class RowsRecipe(_Part):
    """What the rows are made of.

    `strategies` and `hints` are drawn by weight. `rationales` are written by the verbaliser or an engine; with
    `reader` a row stays only if the specialist of that name finds a gold label among its so many likeliest (None: no
    reader asked). `wordings` is how many wordings of a question are used. `dev` rows of each set are kept apart.
    `hints_from` names folders of `emowhy specialists train`, whose folds give the hints on texts that the
    specialist learned from. `reply_tokens` is the budget that bounds the lengths in a reply, as `--max-tokens` does.
    """

    sets: Annotated[tuple[SetRecipe, ...], Field(min_length=1)]
    strategies: Annotated[dict[str, Weight], Field(min_length=1)] = {"given": 1.0}
    hints: Annotated[dict[Policy, Weight], Field(min_length=1)] = {"order": 1.0}
    dropout: Dropout = Dropout()
    rationales: Literal["verbaliser", "engine"] = "verbaliser"
    reader: Annotated[int, Field(ge=1)] | None = 3
    wordings: Annotated[int, Field(ge=1)] = 1
    dev: Annotated[int, Field(ge=0)] = 0
    specialists: tuple[str, ...] = ("emotion", "cue")
    hints_from: dict[Literal["emotion", "cause"], str] = {}
    reply_tokens: Annotated[int, Field(ge=64)] = 256

    @model_validator(mode="after")
    def _check(self) -> RowsRecipe:
        _check_weights("strategies", self.strategies)
        _check_weights("hints", self.hints)
        if self.hints.get("quote"):
            raise ValueError(
                "hints have no `quote`: what annotators marked is to be learned, not what specialists mark"
            )
        named = {*self.specialists, *(name for one in self.sets for name in one.specialists or ())}
        if self.reader and any(name.partition("@")[0] == "reader" for name in named):
            raise ValueError("the reader judges the rows, so it cannot give hints for them too")
        return self


class LoraRecipe(_Part):
    """The adapter: its rank, scale (`alpha`) and modules ("all" linear layers, or their names).

    vLLM serves ranks 1, 8, 16, 32 and further powers of two; `dora` must be merged to be served.
    """

    rank: Annotated[int, Field(ge=1)] = 16
    alpha: Annotated[float, Field(gt=0)] = 32.0
    modules: Literal["all"] | tuple[str, ...] = "all"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    rslora: bool = False
    dora: bool = False


class TrainRecipe(_Part):
    """The schedule: `epochs` passes in batches of `batch` times `accumulate` rows, the learning rate up to `peak`
    after a share of `warmup` and then down along a cosine. Rows longer than `max_tokens` are refused by the audit."""

    epochs: Annotated[float, Field(gt=0)] = 2
    batch: Annotated[int, Field(ge=1)] = 16
    accumulate: Annotated[int, Field(ge=1)] = 1
    peak: Annotated[float, Field(gt=0)] = 2e-4
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.05
    max_tokens: Annotated[int, Field(ge=64)] = 1024
    packing: bool = False
    checkpointing: bool = False
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    evaluate_every: Annotated[int, Field(ge=1)] = 100
    """Steps between two looks at the dev rows, each of which keeps a checkpoint."""
    answer: Annotated[int, Field(ge=0)] = 64
    """How many dev rows each look answers; 0 leaves the loss on all of them."""
    choose: str = "overlap"
    """The dev figure of the best checkpoint: overlap (labels and quotes), loss, graded_f, …"""


class RewardRecipe(_Part):
    """Reinforcement learning instead of learning by heart: what a reply earns, and how many are tried.

    `labels`, `format`, `length` and `consistency` are the weights of the parts of `emowhy.tune.rewards`. Each prompt is
    answered `samples` times at `temperature`, in at most `tokens` tokens; `beta` weighs the divergence from the weights
    that the training began with. In `train` a batch then counts prompts, and `max_tokens` bounds a prompt with its gold
    reply as ever.
    """

    labels: Weight = 1.0
    format: Weight = 0.2
    length: Weight = 0.2
    consistency: Weight = 0.0
    samples: Annotated[int, Field(ge=2)] = 8
    temperature: Annotated[float, Field(gt=0)] = 1.0
    beta: Annotated[float, Field(ge=0)] = 0.0
    tokens: Annotated[int, Field(ge=1)] = 192

    @model_validator(mode="after")
    def _check(self) -> RewardRecipe:
        if not self.labels + self.format + self.consistency:
            raise ValueError("a length alone is nothing to learn: give labels, format or consistency a weight")
        return self


class EvaluateRecipe(_Part):
    """What the adapter is to be measured on when it is done: `sample` rows of each of `tasks` (TASK or TASK:SPLIT).
    The training ends with the command that does so, and the card has it."""

    tasks: tuple[str, ...] = ()
    sample: Annotated[int, Field(ge=1)] = 500


class TuneRecipe(_Part):
    """Everything that makes an adapter what it is; `base` is the model's name.

    `start` is the folder of an adapter to go on from, relative to the working directory; with `reward` the adapter
    learns from its own replies what they earn (GRPO), without it from the rows' completions. `licence` is what you give
    the adapter, where its data allow commercial use; where they do not, it is for research only.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._\-]*$")]
    seed: int = 0
    base: str
    licence: str | None = None
    rows: RowsRecipe
    lora: LoraRecipe = LoraRecipe()
    start: str | None = None
    train: TrainRecipe = TrainRecipe()
    reward: RewardRecipe | None = None
    evaluate: EvaluateRecipe = EvaluateRecipe()

    @model_validator(mode="after")
    def _check(self) -> TuneRecipe:
        if self.reward is not None:
            _check_rewarded(self)
        return self


_PARTS = (TuneRecipe, RowsRecipe, SetRecipe, Dropout, LoraRecipe, TrainRecipe, RewardRecipe, EvaluateRecipe)


def load_recipe(path: Path) -> TuneRecipe:
    """Read a recipe. Raises UsageError for a file that cannot be read, an unknown key or a wrong value."""
    return read_model(path, TuneRecipe, "recipe", "finetune/ holds recipes", _PARTS)


def _check_weights(name: str, weights: dict[Any, float]) -> None:
    if not any(weights.values()):
        raise ValueError(f"all weights of {name} are 0")


def _check_rewarded(recipe: TuneRecipe) -> None:
    """What a reward cannot go with."""
    hinting = {*recipe.rows.specialists, *(name for one in recipe.rows.sets for name in one.specialists or ())}
    read = bool(recipe.reward and recipe.reward.consistency)
    wrong = {
        "the reader rewards the explanations, so it cannot give hints for them too": read
        and any(name.partition("@")[0] == "reader" for name in hinting),
        "with a reward lora.dropout must be 0: replies are learned from as they were sampled": recipe.lora.dropout > 0,
        "with a reward train.packing must be false: replies are sampled beside each other": recipe.train.packing,
        "with a reward lora.modules cannot have lm_head: GRPO does not reach it": "lm_head" in recipe.lora.modules,
    }
    for why, applies in wrong.items():
        if applies:
            raise ValueError(why)
