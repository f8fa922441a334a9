"""A recipe: everything that makes a trained specialist what it is, in one YAML file whose first line runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from emowhy.yaml_model import read_model

Kind = Literal["labels", "values", "cues", "causes"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Also(_Part):
    """Further labelled rows, of a `file` in the row format beside the recipe, each learned `times` times in `finish`.

    The file states its `licence`, and whether that allows `commercial` use. What stands before `finish`
    (`work/early`) has not seen it: `hints_from` takes the hints on these texts from there.
    """

    file: str
    licence: str
    commercial: bool = False
    times: Annotated[int, Field(ge=1)] = 1

    @property
    def name(self) -> str:
        """What a card and a list of what was learned from call it."""
        return Path(self.file).name


class HeadRecipe(_Part):
    """What a head learns, from which data set.

    `labels`: which emotions (binary decisions, or `exclusive` ones that share a softmax); `values`: numbers;
    `cues`: telling words, silver-labelled by `occlusion`; `causes`: cause spans in dialogue.
    `weight` is its loss's share; `positive_weight` bounds how much more a rare label's positives count;
    `smoothing` spreads so much of an exclusive label over all; `part` ("1/2", "2/2") uses one half of the rows;
    `mask_labels` hides label words; `rows` bounds how many are silver-labelled; `also` adds rows to `labels`.
    """

    kind: Kind
    data: str
    weight: float = 1.0
    exclusive: bool = False
    positive_weight: float = 8.0
    smoothing: float = 0.0
    part: Literal["1/2", "2/2"] | None = None
    mask_labels: bool = False
    rows: int | None = None
    also: Also | None = None


class Schedule(_Part):
    """How long and how fast: `epochs` passes, one cycle of the learning rate up to `peak` (encoder) and `peak_head`.

    `average` is the decay of the moving average of the weights, which is evaluated beside the weights themselves;
    after `patience` epochs without a better figure training stops.
    """

    epochs: Annotated[int, Field(ge=1)] = 3
    batch: Annotated[int, Field(ge=1)] = 32
    peak: float = 1.5e-4
    peak_head: float = 1e-3
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    average: float = 0.999
    patience: int = 1


class Teacher(_Part):
    """Soft labels for the labels head: `folds` networks, each trained on all but one fold and read on that fold.

    Their probabilities make up `share` of the target, the annotators' labels the rest.
    """

    folds: Annotated[int, Field(ge=2)] = 4
    epochs: Annotated[int, Field(ge=1)] = 2
    share: Annotated[float, Field(ge=0, le=1)] = 0.5
    seed: int = 0


class Recipe(_Part):
    """`train` in full precision, then `finish`: the same with the rounding of the int8 export, and with cue words.

    Either may be left out (`train: null`): short trainings can do with rounding from the start.
    `base` is where the encoder's weights come from: none for MiniLM, or `FOLDER/encoder` of another training.
    """

    name: str
    heads: Annotated[dict[str, HeadRecipe], Field(min_length=1)]
    seed: int = 0
    base: str | None = None
    max_tokens: int = 128
    train: Schedule | None = Schedule()
    finish: Schedule | None = None
    teacher: Teacher | None = None
    folds: Annotated[int, Field(ge=0)] = 5
    """Folds of the cross-validation by which `causes` is judged and its operating point chosen; 0 leaves it out."""

    @model_validator(mode="after")
    def _check_stages(self) -> Recipe:
        if self.train is None and self.finish is None:
            raise ValueError("neither train nor finish says how to train")
        more = [head for head in self.heads.values() if head.also]
        if more and (self.finish is None or any(head.kind != "labels" or head.mask_labels for head in more)):
            raise ValueError("also is for heads of the kind labels, and is learned in finish")
        if self.folds == 1:
            raise ValueError("one fold leaves nothing to train on: 0 for none, or 2 and more")
        if any(head.kind == "cues" for head in self.heads.values()):
            if self.finish is None:
                raise ValueError("cues are learned in finish, and there is none")
            first = self.heads.get("emotion")
            if first is None or (first.kind, first.data) != ("labels", "goemotions"):
                raise ValueError("cues are what occlusion finds with a head emotion of the kind labels on goemotions")
        return self


def before_finish(recipe: Recipe) -> Recipe:
    """The recipe of what stands before `finish`: it has not seen the further rows."""
    heads = {name: head.model_copy(update={"also": None}) for name, head in recipe.heads.items()}
    return recipe.model_copy(update={"heads": heads})


def load_recipe(path: Path) -> Recipe:
    """Read a recipe. Raises UsageError for a file that cannot be read, an unknown key or a wrong value."""
    return read_model(
        path, Recipe, "recipe", "finetune/specialists/ holds recipes", (Also, HeadRecipe, Schedule, Teacher)
    )
