"""What goes into a training: the rows of a folder as tokens, the base with a fresh adapter, the dev rows to answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from emowhy.engines.lora import unserved
from emowhy.errors import UsageError
from emowhy.models import Model
from emowhy.tune.evaluate import Asked, ask, spread
from emowhy.tune.folder import DEV, RowsFolder
from emowhy.tune.network import add_adapter, load_base, pick_dtype
from emowhy.tune.recipe import TuneRecipe
from emowhy.tune.tokens import Encoded, encode, end_of_turn, stop_ids
from emowhy.tune.trainer import Say


@dataclass(frozen=True, slots=True)
class Looks:
    """How dev rows are looked at: `rows` of them are answered, `choose` (of CHOICES) says which checkpoint is best."""

    rows: int = 64
    choose: str = "overlap"
    tensorboard: bool = False


@dataclass(frozen=True)
class Learned:
    """`model` is the base, held as `dtype`, with an adapter that changes nothing yet; `end` is what ends a reply."""

    folder: RowsFolder
    base: Model
    model: Any
    dtype: torch.dtype
    tokenizer: Any
    end: tuple[int, ...]
    train: Encoded
    dev: Encoded
    asked: tuple[Asked, ...]


def prepare(recipe: TuneRecipe, folder: RowsFolder, base: Model, looks: Looks, say: Say) -> Learned:
    """Load the base and make the rows ready for it; what is left out is told.

    Raises:
        UsageError: no row is short enough, there are no dev rows, or the base cannot be tuned on them.
        MissingError: the base cannot be had.
    """
    for note in folder.notes:
        say(note)
    dtype = pick_dtype(recipe.train.precision)
    model, tokenizer = load_base(base, dtype)
    _check_length(recipe, model)
    end = end_of_turn(tokenizer, stop_ids(tokenizer, model.generation_config))
    most = recipe.train.max_tokens
    train, dev = (encode(rows, tokenizer, end, most) for rows in (folder.train, folder.dev))
    for what, rows in (("train", train), ("dev", dev)):
        if left_out := rows.told(what, most):
            say(left_out)
        if not rows.examples:
            why = f"none of the {len(rows.too_long)} {what} rows fits" if rows.too_long else f"there are no {what} rows"
            raise UsageError(f"{why} ({most} tokens a row)", f"raise train.max_tokens, or rows.{DEV[:3]} in the recipe")
    asked = [ask(row, recipe.rows.reply_tokens) for row in spread(folder.dev, looks.rows)]
    if unread := asked.count(None):
        say(f"{unread} of {len(asked)} dev rows are not answered: the parser does not read their own completions")
    for reason in unserved({"r": recipe.lora.rank, "use_dora": recipe.lora.dora}):
        say(f"vLLM will not serve this adapter ({reason}): merge it to serve it (emowhy tune merge)")
    model = add_adapter(model, recipe.lora, recipe.seed)
    return Learned(folder, base, model, dtype, tokenizer, end, train, dev, tuple(filter(None, asked)))


def _check_length(recipe: TuneRecipe, model: Any) -> None:
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if context is not None and recipe.train.max_tokens > context:
        raise UsageError(
            f"train.max_tokens: {recipe.train.max_tokens} is more than {recipe.base} reads", f"at most {context}"
        )
