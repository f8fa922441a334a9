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
from emowhy.tune.start import Start
from emowhy.tune.templates import changed_templates

_AGAIN = "emowhy tune rows RECIPE -o FOLDER makes them anew"


def check_rows(recipe: TuneRecipe, folder: RowsFolder, base: Model) -> None:
    """Make sure that the rows were made by this recipe, for these weights, with the templates that inference uses.

    Raises:
        UsageError: one of them differs.
    """
    made, wanted = folder.about.get("recipe"), _made_by(recipe.model_dump(mode="json"))
    if isinstance(made, Mapping):
        made = _made_by(made)
        differing = [key for key, value in wanted.items() if made.get(key, value) != value]
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


def _made_by(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """What of a recipe rows depend on, less who wrote the rationales: `emowhy tune rows --engine` decides that too."""
    found = {key: recipe[key] for key in ("base", "seed", "rows") if key in recipe}
    if isinstance(rows := found.get("rows"), Mapping):
        found["rows"] = {key: value for key, value in rows.items() if key != "rationales"}
    return found


def check_tuned(
    recipe: TuneRecipe, folder: RowsFolder, base: Model, start: Start | None, looks: Looks, told: Mapping[str, Any]
) -> None:
    """Make sure that the adapter which a folder holds already, and which says this of itself, is the one asked for.

    Raises:
        UsageError: it is another.
    """
    asked = {
        "recipe": _compared(recipe),
        "rows": folder.hash,
        "base": base.identity.get("sha256"),
        "start": start and start.sha256,
        "choose": looks.choose,
    }
    held = {
        "recipe": _reread(told.get("recipe")),
        "rows": told.get("rows_sha256"),
        "base": told.get("base_sha256"),
        "start": (told.get("start") or {}).get("sha256"),
        "choose": told.get("chosen_by"),
    }
    if differing := [key for key, value in asked.items() if held[key] != value]:
        raise UsageError(
            f"the adapter there is of another training: {', '.join(differing)} differ", "name another folder with -o"
        )


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
    before["recipe"] = _reread(before.get("recipe"))
    if differing := [key for key in asked if before.get(key) != asked[key]]:
        raise UsageError(
            f"{work} holds another training: {', '.join(differing)} differ",
            f"name another folder with -o, or delete {work}",
        )


def _compared(recipe: TuneRecipe) -> dict[str, Any]:
    """A recipe as it is read today: what it does not say has its default. `looks` says how dev rows are looked at, and
    what the adapter is measured on afterwards makes it no other."""
    return recipe.model_dump(mode="json", exclude={"train": {"answer", "choose"}, "evaluate": True, "licence": True})


def _reread(kept: Any) -> Any:
    """A recipe that was kept, as `_compared` tells it; as it stands where it has keys that there are no more."""
    with suppress(ValidationError):
        return _compared(TuneRecipe.model_validate(kept))
    return kept
