"""Data sets -> what heads learn from. A row that cannot be read is counted and reported, not trained on."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emowhy.datasets import find_dataset, find_folder
from emowhy.errors import InputError, MissingError, UsageError
from emowhy.read import Rejected, read
from emowhy.specialists import cause
from emowhy.specialists.cue import word_places
from emowhy.specialists.training.recipe import Also, HeadRecipe
from emowhy.specialists.words import find_parts
from emowhy.types import Sample

Array = npt.NDArray[np.float32]
Say = Callable[[str], None]


def fold_of(key: str, folds: int, seed: int = 0) -> int:
    """A number below `folds` that follows from the key alone, so that equal texts share a fold."""
    digest = hashlib.blake2b(f"{seed}\0{key}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % folds


def text_key(text: str) -> str:
    """What makes two texts the same: letters and digits, lower case."""
    return " ".join(re.findall(r"\w+", text.lower()))


def read_samples(recipe: HeadRecipe, data: Path | None, split: str, say: Say) -> list[Sample]:
    """A split's samples; rejected rows are counted and the first few named."""
    dataset = find_dataset(recipe.data)
    samples: list[Sample] = []
    rejected: list[Rejected] = []
    for row in dataset.read(find_folder(dataset, data), split):
        if isinstance(row, Rejected):
            rejected.append(row)
        else:
            samples.append(row)
    for row in rejected[:5]:
        say(f"{recipe.data} {split}, line {row.line} left out: {row.reason}")
    if rejected:
        say(f"{recipe.data} {split}: {len(rejected)} of {len(rejected) + len(samples)} rows left out")
    if recipe.part and split == "train":
        half = int(recipe.part[0]) - 1
        samples = [sample for sample in samples if fold_of(text_key(sample.words()), 2) == half]
    if not samples:
        raise InputError(f"{recipe.data} {split}: no row is left to learn from", "check the files")
    return samples


def read_also(also: Also, folder: Path, labels: Sequence[str], say: Say) -> list[Sample]:
    """The labelled rows of a recipe's further file. Raises MissingError or InputError where there are none."""
    path = folder / also.file
    if not path.is_file():
        raise MissingError(f"no file {path.absolute()} (licence: {also.licence})", "a recipe's files lie beside it")
    outcomes = list(read(str(path)))
    samples = [row for row in outcomes if isinstance(row, Sample)]
    known = [sample for sample in samples if sample.gold and set(sample.gold.emotions or ()) & {*labels}]
    if lost := len(outcomes) - len(known):
        say(f"{also.name}: {lost} of {len(outcomes)} rows left out: unreadable, or without a label")
    if not known:
        raise InputError(f"{path}: no row is left to learn from", f"gold.emotions: some of {', '.join(labels[:3])}, …")
    return known


def dev_split(recipe: HeadRecipe) -> str:
    """What the data set calls its development split."""
    known = find_dataset(recipe.data).splits
    found = next((name for name in ("dev", "valid", "validation") if name in known), None)
    if found is None:
        raise UsageError(f"{recipe.data} has no development split", f"its splits: {', '.join(known)}")
    return found


def gold_values(samples: Sequence[Sample], names: Sequence[str]) -> Array:
    """Shape (rows, names); NaN where nobody rated."""
    answers: list[Any] = [sample.gold.answers if sample.gold else {} for sample in samples]
    return np.array([[answer.get(name, np.nan) for name in names] for answer in answers], dtype=np.float32)


def cue_targets(sample: Sample, cues: Sequence[tuple[int, int]], offsets: Sequence[tuple[int, int]]) -> Array:
    """Is each token inside a telling word of the text? Shape (tokens, 1); NaN for tokens outside words."""
    found = np.full((len(offsets), 1), np.nan, dtype=np.float32)
    parts = find_parts(sample)
    places = word_places(parts)
    words = [word for part in parts for word in part.words]
    told = [any(start <= word[0] < end for start, end in cues) for word in words]
    at = 0
    for (start, end), tells in zip(places, told, strict=True):
        while at < len(offsets) and offsets[at][1] <= start:
            at += 1
        token = at
        while token < len(offsets) and offsets[token][0] < end:
            if offsets[token][1] > start:
                found[token, 0] = float(tells)
            token += 1
    return found


def cause_targets(sample: Sample, framed: cause.Frame) -> Array:
    """For each token of a frame: inside a cause, its first token, its last, and (at speakers) is the turn one."""
    found = np.full((len(framed.ids), 4), np.nan, dtype=np.float32)
    gold = (sample.gold.causes if sample.gold else None) or ()
    for turn in framed.turns:
        spans = [(c.start or 0, c.end or 0) for c in gold if c.turn == turn.number and c.verified]
        tokens = range(turn.first, turn.first + len(turn.offsets))
        found[turn.speaker, cause.TURN] = float(bool(spans))
        found[tokens.start : tokens.stop, : cause.TURN] = 0
        for start, end in spans:
            inside = [t for t, (a, b) in zip(tokens, turn.offsets, strict=True) if b > start and a < end]
            if inside:
                found[inside, cause.INSIDE] = 1
                found[inside[0], cause.FIRST] = 1
                found[inside[-1], cause.LAST] = 1
    return found


@dataclass(frozen=True, slots=True)
class CauseRows:
    """Emotional turns whose causes were annotated, with the dialogue each belongs to."""

    samples: list[Sample]
    dialogues: list[str]


def cause_rows(samples: Sequence[Sample]) -> CauseRows:
    kept = [sample for sample in samples if sample.gold and sample.gold.causes is not None]
    return CauseRows(kept, [str(sample.extra.get("dialogue", sample.id)) for sample in kept])
