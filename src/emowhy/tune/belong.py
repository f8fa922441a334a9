"""Do rows, recipe, base, templates and an output folder belong together? Asked before anything is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from accelerate import PartialState
from pydantic import ValidationError

from emowhy.errors import UsageError
from emowhy.models import Model
from emowhy.tune.export import keep_text
from emowhy.tune.folder import RowsFolder
from emowhy.tune.learned import Looks
from emowhy.tune.recipe import TuneRecipe
from emowhy.tune.templates import changed_templates

_AGAIN = "emowhy tune rows RECIPE -o FOLDER makes them anew"


def check_rows(recipe: TuneRecipe, folder: RowsFolder, base: Model) -> None:
    """Make sure that the rows were made by this recipe, for these weights, with the templates that inference uses.

    Raises:
        UsageError: one of them differs.
    """
    made, wanted = folder.about.get("recipe"), recipe.model_dump(mode="json")
    if isinstance(made, Mapping):
        differing = [key for key in ("base", "seed", "rows") if made.get(key, wanted[key]) != wanted[key]]
        if differing:
            raise UsageError(f"the rows were made by another recipe: {', '.join(differing)} differ", _AGAIN)
    lent = folder.about.get("base")
    known = base.identity.get("sha256")
    if isinstance(lent, Mapping) and known is not None and lent.get("sha256", known) != known:
        raise UsageError(
            f"the rows were made for {lent['sha256']}; the weights of {base.name} here are {known}", _AGAIN
        )
    if changed := changed_templates(folder.about):
        told = "; ".join(f"{name}: {what}" for name, what in changed.items())
        raise UsageError(f"inference has other prompts than these rows: {told}", _AGAIN)


def check_work(recipe: TuneRecipe, folder: RowsFolder, base: Model, looks: Looks, work: Path) -> None:
    """Make sure that a work folder holds this very training, or none; from here on it does.

    Raises:
        UsageError: it holds another.
    """
    path = work / "asked.json"
    asked = {
        "recipe": _compared(recipe),
        "rows": folder.hash,
        "base": dict(base.identity),
        "looks": {"rows": looks.rows, "choose": looks.choose},
        "processes": PartialState().num_processes,
    }
    if not path.is_file():
        keep_text(path, json.dumps(asked))
        return
    before = json.loads(path.read_text(encoding="utf-8"))
    with suppress(ValidationError):  # keys that there are no more: another training
        before["recipe"] = _compared(TuneRecipe.model_validate(before["recipe"]))
    if differing := [key for key in asked if before.get(key) != asked[key]]:
        raise UsageError(
            f"{work} holds another training: {', '.join(differing)} differ",
            f"name another folder with -o, or delete {work}",
        )


def _compared(recipe: TuneRecipe) -> dict[str, Any]:
    """A recipe as it is read today: what it does not say has its default. `looks` says how dev rows are looked at."""
    return recipe.model_dump(mode="json", exclude={"train": {"answer", "choose"}})
