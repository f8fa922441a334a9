"""What an adapter has seen, whose it is, and what it is worth: the content of its `emowhy.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from emowhy.datasets import find_dataset
from emowhy.errors import EmowhyError
from emowhy.tune.folder import Row
from emowhy.tune.learned import Learned
from emowhy.tune.recipe import SetRecipe, TuneRecipe
from emowhy.tune.start import Start
from emowhy.tune.trainer import AdapterTrainer, dev_figures


@dataclass(frozen=True, slots=True)
class Seen:
    """One set of rows that an adapter learned from; `source` is where its users get it."""

    name: str
    title: str
    licence: str
    commercial: bool
    source: str | None = None


def seen_sets(recipe: TuneRecipe, start: Start | None = None) -> list[Seen]:
    """The sets that the start has seen and those that the recipe's rows come from, each once."""
    own = [_seen(one) for one in recipe.rows.sets]
    return list(dict.fromkeys([*(_seen_before(start) if start else ()), *own]))


def _seen_before(start: Start) -> list[Seen]:
    """What an adapter has learned from, as it says; where it does not say, or says no reason why it allows no trade,
    something that allows none."""
    told = start.told
    try:
        stated = [Seen(**one) for one in told.get("sets") or ()]
        found = stated or [_seen(SetRecipe.model_validate(one)) for one in told["recipe"]["rows"]["sets"]]
    except (EmowhyError, KeyError, TypeError, ValueError):
        found = []
    if found and (told.get("commercial") or not all(one.commercial for one in found)):
        return found
    name = start.folder.name
    return [*found, Seen(name, f"what {name} learned from", "not stated", commercial=False)]


def _seen(one: SetRecipe) -> Seen:
    if one.data is None:
        return Seen(one.name, one.name, one.licence or "not stated", one.commercial)
    found = find_dataset(one.data)
    return Seen(one.name, found.title, found.licence, found.commercial, found.source)


def looks_of(trainer: AdapterTrainer) -> list[dict[str, float]]:
    """Every look at the dev rows: its step, the loss and the figures; the first is the base's."""
    entries = [entry for entry in trainer.state.log_history if "eval_loss" in entry]
    return [{"step": entry["step"], **dev_figures(entry)} for entry in entries]


def describe(
    recipe: TuneRecipe,
    learned: Learned,
    start: Start | None,
    trainer: AdapterTrainer,
    sets: Sequence[Seen],
    command: str,
) -> dict[str, Any]:
    """Everything but the figures and the size, which are known once the adapter is written.

    What the start was trained and chosen on, this adapter was too.
    """
    about, identity = learned.folder.about, learned.base.identity
    free = all(one.commercial for one in sets)
    before: Mapping[str, Any] = start.told if start else {}
    unrewarded = getattr(trainer, "unrewarded", 0)
    return {
        "name": recipe.name,
        "base": recipe.base,
        "base_sha256": identity.get("sha256"),
        "base_revision": getattr(learned.model.config, "_commit_hash", None),
        "base_licence": identity.get("licence", "see the base's own card"),
        "start": {"adapter": start.folder.name, "sha256": start.sha256} if start else None,
        "templates": {**_told(before, "templates"), **_told(about, "templates")},
        "schemas": {**_schemas_before(before, recipe), **_told(about, "schemas")},
        "trained_on": _joined(before.get("trained_on"), _splits(learned.folder.train, recipe)),
        "chosen_on": _joined(before.get("chosen_on"), _splits(learned.folder.dev, recipe)),
        "licence": (recipe.licence or "not stated: see base and data") if free else "research only: see data",
        "commercial": free,
        "data": "; ".join(f"{one.title}, {one.licence}" for one in sets),
        "sets": [asdict(one) for one in sets],
        "recipe": recipe.model_dump(mode="json"),
        "command": command,
        "seed": recipe.seed,
        "rows_sha256": learned.folder.hash,
        "rows": {
            "train": len(learned.train.examples) - unrewarded,
            "dev": len(learned.dev.examples),
            "too_long": len(learned.train.too_long) + len(learned.dev.too_long),
            "generated": len(learned.asked),
            **({"unrewarded": unrewarded} if recipe.reward else {}),
        },
        "chosen_by": trainer.choose,
        "step": trainer.state.best_global_step,
        "steps": trainer.state.max_steps,
        "seconds": round(sum(entry.get("seconds", 0.0) for entry in trainer.state.log_history), 1),
        "precision": str(learned.dtype).removeprefix("torch."),
    }


def _schemas_before(before: Mapping[str, Any], recipe: TuneRecipe) -> dict[str, Any]:
    """The start's schemas, as far as this recipe's budget bounds the same lengths."""
    rows = _told(_told(before, "recipe"), "rows")
    return _told(before, "schemas") if rows.get("reply_tokens") == recipe.rows.reply_tokens else {}


def _splits(rows: Sequence[Row], recipe: TuneRecipe) -> list[str]:
    """The "set:split"s that rows come from; files of one's own are no split of any benchmark."""
    files = {one.name for one in recipe.rows.sets if one.file is not None}
    return [name for name in dict.fromkeys(row.data for row in rows) if name not in files]


def _joined(before: Sequence[str] | None, now: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*(before or ()), *now]))


def _told(about: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = about.get(name)
    return dict(found) if isinstance(found, Mapping) else {}
