"""SemEval-2018 Task 1, Affect in Tweets (Mohammad et al. 2018), English: which emotions, how intense, how pleasant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from emowhy.datasets.base import DataSet
from emowhy.datasets.shared import class_of, marked, number_of, one_after_another, rows_split_at
from emowhy.formats import Record

EMOTIONS = (
    *("anger", "anticipation", "disgust", "fear", "joy", "love"),
    *("optimism", "pessimism", "sadness", "surprise", "trust"),
)
_INTENSE = ("anger", "fear", "joy", "sadness")
_ENDINGS = {"train": "train", "dev": "dev", "test": "test-gold"}


def intensity_question(emotion: str) -> str:
    """What is asked about a text whose gold is the intensity of one emotion."""
    return f"How intense is the {emotion}, from 0 (none) to 1 (the most)?"


def _files(*stems: str) -> dict[str, tuple[str, ...]]:
    """Split -> its files, each with the year before its name or without it."""
    return {
        split: tuple(f"{year}{stem}-{ending}.txt" for stem in stems for year in ("2018-", ""))
        for split, ending in _ENDINGS.items()
    }


class _Affect(DataSet):
    """Tables split at tabs: `ID`, `Tweet` and what the annotators say. All files of a split that are there are read.

    Rows whose id holds "mystery" probe systems for bias and have no scores of their own: they are rejected.
    Without a test set's gold its rows are rejected too ("NONE" is no number).
    """

    folder = "semeval2018"
    licence = "research use (terms of use of the National Research Council Canada)"
    commercial = False
    source = "https://competitions.codalab.org/competitions/17751"
    columns: ClassVar[tuple[str, ...]] = ("ID", "Tweet")

    def records(self, path: Path) -> Iterator[Record]:
        """The rows of the split that the file belongs to; with several files, lines are counted on through them."""
        names = next((names for names in self.splits.values() if path.name in names), (path.name,))
        found: dict[str, Path] = {}
        for name in names:
            if (path.parent / name).is_file():
                found.setdefault(name.removeprefix("2018-"), path.parent / name)
        return one_after_another(found.values(), partial(rows_split_at, separator="\t"))

    def row(self, cells: Mapping[str, Any], split: str) -> Mapping[str, Any]:
        if "mystery" in cells["ID"].casefold():
            raise ValueError("bias probe, never scored")
        return {"id": cells["ID"], "text": cells["Tweet"], **self.told(cells)}

    def told(self, cells: Mapping[str, Any]) -> Mapping[str, Any]:
        """The rest of the row, which is what the tasks differ in."""
        raise NotImplementedError


class Semeval2018Ec(_Affect):
    """E-c: eleven columns of 0 and 1. No emotion at all is an answer, too: `gold.emotions` is then ()."""

    name = "semeval2018_ec"
    title = "SemEval-2018 Task 1 E-c (emotions)"
    labels = EMOTIONS
    splits: ClassVar = _files("E-c-En")
    columns = ("ID", "Tweet", *EMOTIONS)

    def told(self, cells: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"gold": {"emotions": marked(cells, EMOTIONS)}}


class _Scored(_Affect):
    """A number for one dimension, which is `extra["dimension"]`."""

    dimensions: ClassVar[tuple[str, ...]]
    column: ClassVar[str]
    bounds: ClassVar[tuple[int, int]]

    def told(self, cells: Mapping[str, Any]) -> Mapping[str, Any]:
        dimension = cells["Affect Dimension"].strip()
        if dimension not in self.dimensions:
            raise ValueError(f"dimension {dimension[:50]!r}: expected {' or '.join(self.dimensions)}")
        read = class_of if self.column == "Intensity Class" else number_of
        value = read(cells[self.column], self.column, *self.bounds)
        return {**self.asked(cells["ID"], dimension, value), "extra": {"dimension": dimension}}

    def asked(self, id: str, dimension: str, value: float) -> Mapping[str, Any]:
        """Gold, and what it is an answer to."""
        raise NotImplementedError


class _Intensity(_Scored):
    """A file an emotion. A tweet may stand in several, so the emotion is part of the sample's id."""

    dimensions = _INTENSE

    def asked(self, id: str, dimension: str, value: float) -> Mapping[str, Any]:
        question = intensity_question(dimension)
        return {"id": f"{id}-{dimension}", "question": question, "gold": {"answers": {"intensity": value}}}


class _Valence(_Scored):
    dimensions = ("valence",)

    def asked(self, id: str, dimension: str, value: float) -> Mapping[str, Any]:
        return {"gold": {"answers": {"valence": value}}}


class Semeval2018EiReg(_Intensity):
    """EI-reg: `answers["intensity"]` of anger, fear, joy or sadness, from 0 to 1."""

    name = "semeval2018_ei_reg"
    title = "SemEval-2018 Task 1 EI-reg (emotion intensity)"
    splits: ClassVar = _files(*(f"EI-reg-En-{emotion}" for emotion in _INTENSE))
    column, bounds = "Intensity Score", (0, 1)
    columns = ("ID", "Tweet", "Affect Dimension", "Intensity Score")


class Semeval2018EiOc(_Intensity):
    """EI-oc: `answers["intensity"]` as a class from 0 (none) to 3 (high); what is asked is the degree, 0 to 1."""

    name = "semeval2018_ei_oc"
    title = "SemEval-2018 Task 1 EI-oc (emotion intensity, classes)"
    splits: ClassVar = _files(*(f"EI-oc-En-{emotion}" for emotion in _INTENSE))
    column, bounds = "Intensity Class", (0, 3)
    columns = ("ID", "Tweet", "Affect Dimension", "Intensity Class")


class Semeval2018VReg(_Valence):
    """V-reg: `answers["valence"]` from 0 (most unpleasant) to 1 (most pleasant)."""

    name = "semeval2018_v_reg"
    title = "SemEval-2018 Task 1 V-reg (valence)"
    splits: ClassVar = _files("Valence-reg-En")
    column, bounds = "Intensity Score", (0, 1)
    columns = ("ID", "Tweet", "Affect Dimension", "Intensity Score")


class Semeval2018VOc(_Valence):
    """V-oc: `answers["valence"]` as a class from -3 (very unpleasant) over 0 to 3 (very pleasant)."""

    name = "semeval2018_v_oc"
    title = "SemEval-2018 Task 1 V-oc (valence, classes)"
    splits: ClassVar = _files("Valence-oc-En")
    column, bounds = "Intensity Class", (-3, 3)
    columns = ("ID", "Tweet", "Affect Dimension", "Intensity Class")
