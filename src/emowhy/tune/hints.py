"""Who gives the hints on a set's texts: the recipe's specialists, cross-fitted where they learned from these texts."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from emowhy.datasets import find_dataset
from emowhy.specialists import Classifier, Specialist, load_specialists
from emowhy.taxonomy import Taxonomy, find_taxonomy
from emowhy.tune.cross_fitted import CrossFitted, Table, learned_late, read_folds
from emowhy.tune.recipe import RowsRecipe, SetRecipe

Say = Callable[[str], None]


class Hinters:
    """Loads the specialists of each set; `notes` tell which of them are flattered by what they learned from."""

    def __init__(self, recipe: RowsRecipe, data: Path | None, say: Say) -> None:
        self._recipe, self._data, self._say = recipe, data, say
        self.notes: list[str] = []
        self.identities: list[Mapping[str, Any]] = []
        self._emotions = functools.cache(self._read_emotions)
        self._causes = functools.cache(self._read_causes)

    def of(self, one: SetRecipe, taxonomy: Taxonomy) -> list[Specialist]:
        """The specialists that look at one set, in the order in which each finds the clues that it needs."""
        names = one.specialists or self._recipe.specialists
        folders = self._recipe.hints_from
        placed = [f"cause@{folders['cause']}" if name == "cause" and "cause" in folders else name for name in names]
        found = [self._fair(specialist, one, taxonomy) for specialist in load_specialists(placed, taxonomy)]
        for specialist in found:
            identity = specialist.identity()
            if identity not in self.identities:
                self.identities.append(identity)
            if one.name in identity.get("trained_on", ()) and "cross_fitted" not in identity:
                self._note_flattered(specialist, one, taxonomy)
        return found

    def _fair(self, specialist: Specialist, one: SetRecipe, taxonomy: Taxonomy) -> Specialist:
        """The specialist, or what answers in its place on texts that it learned from."""
        name = specialist.name.partition("@")[0]
        if name == "emotion" and "emotion" in self._recipe.hints_from and isinstance(specialist, Classifier):
            data, own, table = self._emotions()
            if one.name == f"{data}:train" and taxonomy == own:
                return CrossFitted(specialist, table)
            if early := learned_late(Path(self._recipe.hints_from["emotion"]), one):
                return load_specialists([f"emotion@{early}"], taxonomy)[-1]
        if name == "cause" and "cause" in self._recipe.hints_from:
            from emowhy.tune.cross_fitted_causes import CrossFittedCauses

            data, spans = self._causes()
            if one.name == f"{data}:train":
                return CrossFittedCauses(taxonomy, Path(self._recipe.hints_from["cause"]), spans)
        return specialist

    def _note_flattered(self, specialist: Specialist, one: SetRecipe, taxonomy: Taxonomy) -> None:
        """Tell once that hints come from a specialist that was taught what annotators said of these very texts."""
        note = (
            f"{specialist.name} learned from {one.name}, so its hints there are better than on new texts"
            " (hints_from: the folder of its training gives fair ones)"
        )
        name = specialist.name.partition("@")[0]
        # cue words are nobody's annotation, and no emotions were learned from a set without labels
        taught = name != "cue" and not (specialist.kind == "emotion" and taxonomy.is_open)
        if taught and note not in self.notes:
            self.notes.append(note)

    def _read_emotions(self) -> tuple[str, Taxonomy, Table]:
        folder = Path(self._recipe.hints_from["emotion"])
        data, table = read_folds(folder, self._data, self._say)
        return data, find_taxonomy(str(find_dataset(data).labels)), table

    def _read_causes(self) -> tuple[str, Any]:
        from emowhy.tune.cross_fitted_causes import read_cause_folds

        return read_cause_folds(Path(self._recipe.hints_from["cause"]), self._data, self._say)
