"""Hints on texts that a specialist learned from, as good as on new ones: each from a network that never saw the text.

`emowhy specialists train` leaves what is needed in its folder (`work/`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emowhy.datasets import find_dataset
from emowhy.errors import MissingError, UsageError
from emowhy.specialists.base import Classifier
from emowhy.specialists.calibration import fit
from emowhy.specialists.gold import gold_labels
from emowhy.specialists.training import rows
from emowhy.specialists.training.recipe import HeadRecipe, Recipe
from emowhy.specialists.training.rows import Array, Say
from emowhy.taxonomy import find_taxonomy
from emowhy.tune.recipe import SetRecipe

Table = Mapping[str, npt.NDArray[np.float32]]
"""Text key -> probabilities, shape (labels,)."""


class CrossFitted(Classifier):
    """A classifier that answers from a table for the texts that it learned from, and reads all others itself."""

    name = "emotion"

    def __init__(self, classifier: Classifier, table: Table) -> None:
        super().__init__(classifier.taxonomy)
        self._classifier, self._table = classifier, table

    def probabilities(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        stored = [self._table.get(rows.text_key(text)) for text in texts]
        unknown = [text for text, row in zip(texts, stored, strict=True) if row is None]
        read = iter(self._classifier.probabilities(unknown))
        found = [next(read) if row is None else row for row in stored]
        return np.array(found, dtype=np.float32).reshape(len(texts), len(self.taxonomy.labels))

    def thresholds(self) -> npt.NDArray[np.float32]:
        return self._classifier.thresholds()

    def identity(self) -> Mapping[str, Any]:
        return {**self._classifier.identity(), "cross_fitted": len(self._table)}


def read_training(folder: Path, kind: str) -> tuple[Recipe, str, HeadRecipe]:
    """A specialist's training: its recipe, and the one head of this kind. Raises MissingError or UsageError."""
    path = folder / "work" / "recipe.json"
    cure = f"emowhy specialists train finetune/specialists/….yaml -o {folder}, and keep its folder work"
    if not path.is_file():
        raise MissingError(f"hints_from: {folder.absolute()} holds no training (no work/recipe.json)", cure)
    recipe = Recipe.model_validate_json(path.read_text(encoding="utf-8"))
    heads = [(name, head) for name, head in recipe.heads.items() if head.kind == kind]
    if len(heads) != 1:
        raise UsageError(f"hints_from: {folder} trained {len(heads)} heads of the kind {kind}, not one", cure)
    return recipe, *heads[0]


def read_folds(folder: Path, data: Path | None, say: Say) -> tuple[str, dict[str, Array]]:
    """The data set whose training split the folds are of, and each text's calibrated out-of-fold probabilities.

    The teacher's logits, less the tilt of the positives' weight, are calibrated fold by fold (Platt; two numbers a
    label, so that fitting them on the fold itself flatters nothing). Raises an `EmowhyError` where folds are missing or
    are those of other rows.
    """
    recipe, name, head = read_training(folder, "labels")
    if recipe.teacher is None:
        raise UsageError(f"hints_from: {folder} was trained without a teacher, so it has no folds", "add teacher: …")
    labels = find_taxonomy(str(find_dataset(head.data).labels)).labels
    samples = rows.read_samples(head, data, "train", say)
    keys = [rows.text_key(sample.words()) for sample in samples]
    gold = gold_labels(samples, labels)
    fold = np.array([rows.fold_of(key, recipe.teacher.folds, recipe.teacher.seed) for key in keys])
    table: dict[str, Array] = {}
    for number in range(recipe.teacher.folds):
        held = np.flatnonzero(fold == number)
        logits = read_fold(folder / "work" / "teacher" / name / f"fold{number}.npy", (len(held), gold.shape[1]))
        if not head.exclusive:
            logits = logits - _tilt(gold, head.positive_weight)
        fitted = fit(logits.astype(float), gold[held].astype(float), head.exclusive)
        for i, row in zip(held, fitted.probabilities(logits.astype(float)), strict=True):
            table[keys[i]] = row.astype(np.float32)
    return head.data, table


def learned_late(folder: Path, one: SetRecipe) -> Path | None:
    """The folder of what had not seen a set's file yet, where the training learned that in `finish` only.

    Raises MissingError where that was not kept: only a training with cue words exports it.
    """
    also = read_training(folder, "labels")[2].also
    if not (also and one.file and also.name == one.name):
        return None
    early = folder / "work" / "early"
    if not early.is_dir():
        raise MissingError(
            f"hints_from: {folder} learned {one.name}, and no {early} has not seen it",
            "train it with a head of the kind cues, or leave hints_from out",
        )
    return early


def read_fold(path: Path, shape: tuple[int, int]) -> Array:
    """A fold's outputs; the number of rows and columns must be what the data at hand make it."""
    if not path.is_file():
        raise MissingError(f"hints_from: no {path.absolute()}", "let emowhy specialists train finish")
    found: Array = np.load(path)
    if found.shape != shape:
        raise UsageError(
            f"hints_from: {path} holds {found.shape}, and the data at hand make it {shape}",
            "name the training of these very data, or train again",
        )
    return found


def _tilt(gold: Array, most: float) -> Array:
    """What the positives' weight in the loss adds to a label's logits (`LabelsHead`)."""
    positives = np.maximum(gold.sum(0), 1)
    found: Array = np.log(np.minimum(np.sqrt((len(gold) - positives) / positives), most))
    return found
