"""Labels on five emotion wheels, *official*: the overlap of MER2025/26 and MER-UniBench (AffectGPT, 2501.16566).

A word becomes a base form (`format.csv`), that a word of the wheels (`synonym.xlsx`), that a sector (`wheel1..5.xlsx`).
The user brings these files; their hashes belong beside every score. What maps to nothing is dropped, in the gold too.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from emowhy.bench.metrics.labels import f_s, official_set_scores
from emowhy.errors import InputError, missing_extra

Array = npt.NDArray[np.floating]
Rows = Sequence[Collection[str]]
Level = Literal[1, 2]
Find = Callable[[str], str | None]

WHEELS = (1, 2, 3, 4, 5)
FILES = (*(f"wheel{k}.xlsx" for k in WHEELS), "synonym.xlsx", "format.csv")
_RUNS = range(1, 9)
_CURE = "put wheel1.xlsx to wheel5.xlsx, synonym.xlsx and format.csv of MER-UniBench, unchanged, into one folder"


@dataclass(frozen=True, slots=True, eq=False)
class WheelScores:
    """Official precision and recall of each row (0 to 1), and whether it counts; each of shape (rows, mappings).

    A row whose gold maps to nothing is skipped: it does not count and has 0, 0.
    """

    precision: Array
    recall: Array
    counted: Array


@dataclass(frozen=True, slots=True, eq=False)
class Wheel:
    """The five wheels and the ways to them.

    `forms`: word -> base names; `synonyms`: base name -> wheel words; both sorted. `sectors`: (wheel, level) -> word on
    the wheel -> its level-1 or level-2 word. `hashes`: file name -> SHA-256.
    """

    forms: Mapping[str, tuple[str, ...]]
    synonyms: Mapping[str, tuple[str, ...]]
    sectors: Mapping[tuple[int, Level], Mapping[str, str]]
    hashes: Mapping[str, str]

    @classmethod
    def load(cls, folder: Path | str) -> Wheel:
        """Read the seven official files.

        Raises:
            InputError: a file is missing, cannot be read, lacks a column or holds nothing.
            MissingError: openpyxl is not installed.
        """
        files = {name: Path(folder) / name for name in FILES}
        for path in files.values():
            if not path.is_file():
                raise InputError(f"{path}: expected one of the emotion wheel files, found no file", _CURE)
        trees = {k: _read_tree(files[f"wheel{k}.xlsx"]) for k in WHEELS}
        return cls(
            _read_forms(files["format.csv"]),
            _read_synonyms(files["synonym.xlsx"]),
            {(k, level): dict(places(tree)) for k, tree in trees.items() for level, places in _PLACES.items()},
            {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()},
        )

    def m1(self, word: str) -> str | None:
        """The alphabetically first base name of a word; None where there is none."""
        return next(iter(self.forms.get(_key(word), ())), None)

    def m2(self, word: str) -> str | None:
        """The alphabetically first wheel word of `m1`; None where there is none."""
        base = self.m1(word)
        return None if base is None else next(iter(self.synonyms.get(base, ())), None)

    def m3(self, word: str, wheel: int, level: Level) -> str | None:
        """The sector (level 1) or level-2 word of a word on wheel 1 to 5; None where it has none.

        Of all the wheel words that its base names reach, the alphabetically first on that wheel decides.
        """
        on_wheel = self.sectors[wheel, level]
        reached = {end for base in self.forms.get(_key(word), ()) for end in self.synonyms.get(base, ())}
        return next((on_wheel[end] for end in sorted(reached) if end in on_wheel), None)

    def scores(self, gold: Rows, predicted: Rows, level: Level) -> WheelScores:
        """The scores of rows of words on each wheel, for `ew_f`: shapes (rows, 5)."""
        return _scores(gold, predicted, [self._on(k, level) for k in WHEELS])

    def stage_scores(self, gold: Rows, predicted: Rows, stage: Literal[1, 2]) -> WheelScores:
        """The scores before any wheel, by `m1` or `m2`, for `ew_f` too: shapes (rows, 1)."""
        return _scores(gold, predicted, [self.m1 if stage == 1 else self.m2])

    def hits(self, gold: Sequence[str], predicted: Rows) -> tuple[Array, Array]:
        """HIT of rows with one gold word each: 1 where its sector is predicted, and where it counts; shapes (rows, 5).

        A gold word that the wheel cannot place is skipped there.
        """
        scores = self.scores([[word] for word in gold], predicted, 1)  # of one gold label, recall is the hit
        return scores.recall, scores.counted

    def coverage(self, rows: Rows) -> tuple[Array, Array]:
        """How many different words each row has on each wheel, shape (rows, 5), and how many at all, shape (rows,)."""
        words = [{_key(word) for word in row} - {""} for row in rows]
        known = [_find_all(words, self._on(k, 1)) for k in WHEELS]
        mapped = [[sum(on_wheel[word] is not None for word in row) for on_wheel in known] for row in words]
        return np.array(mapped, float).reshape(len(rows), len(WHEELS)), np.array([len(row) for row in words], float)

    def _on(self, wheel: int, level: Level) -> Find:
        return lambda word: self.m3(word, wheel, level)


def ew_f(precision: Array, recall: Array, counted: Array) -> Array:
    """The mean over wheels of F_S, from `WheelScores` summed over rows: shapes (..., wheels) -> (...).

    F_S of a wheel is 0 where nothing is hit (the published script divides by 0), nan where no row counts.
    """
    rows = np.where(counted > 0, counted, np.nan)
    found: Array = f_s(precision / rows, recall / rows).mean(-1)
    return found


def hit_rate(hits: Array, counted: Array) -> Array:
    """HIT from `Wheel.hits` summed over rows: the mean over wheels, (..., wheels) -> (...); nan as in `ew_f`."""
    found: Array = (hits / np.where(counted > 0, counted, np.nan)).mean(-1)
    return found


def _scores(gold: Rows, predicted: Rows, mappings: Sequence[Find]) -> WheelScores:
    table = np.zeros((3, len(gold), len(mappings)))
    for column, find in enumerate(mappings):
        known = _find_all([*gold, *predicted], find)
        for row, (wanted, said) in enumerate(zip(gold, predicted, strict=True)):
            a, b = ({label for word in words if (label := known[word]) is not None} for words in (wanted, said))
            if a:
                table[:, row, column] = *official_set_scores(a, b), 1
    return WheelScores(*table)


def _find_all(rows: Rows, find: Find) -> dict[str, str | None]:
    return {word: find(word) for word in set(chain.from_iterable(rows))}


# Files ----------------------------------------------------------------------------------------------------------

Tree = dict[str, dict[str, list[str]]]  # level-1 word -> level-2 word -> level-3 words


def _inner(tree: Tree) -> Iterator[tuple[str, str]]:
    """Every word of a wheel and its level-1 word; of a word that stands twice the last place wins, as published."""
    for inner, middles in tree.items():
        for word in (inner, *middles, *chain.from_iterable(middles.values())):
            yield word, inner


def _middle(tree: Tree) -> Iterator[tuple[str, str]]:
    """Every word of a wheel and its level-2 word: for an inner word the alphabetically first below it."""
    for inner, middles in tree.items():
        yield inner, min(middles)
        for middle, outers in middles.items():
            for word in (middle, *outers):
                yield word, middle


_PLACES: Mapping[Level, Callable[[Tree], Iterator[tuple[str, str]]]] = {1: _inner, 2: _middle}


def _read_tree(path: Path) -> Tree:
    """A wheel; a blank cell means the word above it, at level 3 too (as published)."""
    tree: Tree = {}
    above = ["", "", ""]
    for number, cells in enumerate(_read_sheet(path, ("level1", "level2", "level3")), start=2):
        above = [_key(cell) or before for cell, before in zip(cells, above, strict=True)]
        if "" in above:
            raise InputError(f"{path}, row {number}: expected a word at each level or above it, found {cells}", _CURE)
        tree.setdefault(above[0], {}).setdefault(above[1], []).append(above[2])
    return tree


def _read_synonyms(path: Path) -> dict[str, tuple[str, ...]]:
    columns = [name for run in _RUNS for name in (f"word_run{run}", f"synonym_run{run}")]
    links: list[tuple[str, str]] = []
    for cells in _read_sheet(path, columns):
        for word, others in zip(map(_key, cells[::2]), cells[1::2], strict=True):
            if word:
                links += ((_key(other), word) for other in (word, *_split(others)))
    return _sorted_links(links)


def _read_forms(path: Path) -> dict[str, tuple[str, ...]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = _pick(path, csv.reader(file), ("name", "format"))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: expected a CSV file in UTF-8, found {error}", _CURE) from error
    return _sorted_links((form, name) for name, forms in rows if name for form in (name, *_split(forms)))


def _read_sheet(path: Path, columns: Sequence[str]) -> list[list[str]]:
    try:
        from openpyxl import load_workbook
    except ImportError as error:
        raise missing_extra("reading the emotion wheels", "bench") from error
    try:
        sheet = load_workbook(path, data_only=True).worksheets[0]
    except Exception as error:  # a broken workbook fails with whatever its zip or XML reader raises
        raise InputError(f"{path}: expected an Excel workbook, found {type(error).__name__}: {error}", _CURE) from error
    return _pick(path, sheet.iter_rows(values_only=True), columns)


def _pick(path: Path, rows: Iterable[Sequence[object]], columns: Sequence[str]) -> list[list[str]]:
    """The named columns of a table as stripped text, row by row; its first row holds the names."""
    lines = [["" if cell is None else str(cell).strip() for cell in row] for row in rows]
    names = lines[0] if lines else []
    if absent := [name for name in columns if name not in names]:
        found = ", ".join(filter(None, names)) or "nothing"
        raise InputError(f"{path}: expected the columns {', '.join(absent)} in the first row, found {found}", _CURE)
    if len(lines) == 1:
        raise InputError(f"{path}: expected rows of words, found none below the first row", _CURE)
    places = [names.index(name) for name in columns]
    return [[line[place] if place < len(line) else "" for place in places] for line in lines[1:]]


def _split(cell: str) -> list[str]:
    """A list in text, cut at quotes and commas."""
    return [item.strip() for item in re.split("['\",]", cell.removeprefix("[").removesuffix("]")) if item.strip()]


def _sorted_links(links: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for start, end in links:
        found.setdefault(start, set()).add(end)
    return {start: tuple(sorted(ends)) for start, ends in found.items()}


def _key(word: str) -> str:
    return word.lower().strip()
