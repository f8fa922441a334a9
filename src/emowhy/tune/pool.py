"""The samples of a recipe's set: read, sieved of repeats and leaks, a part kept apart as dev rows, the others drawn."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from emowhy.bench.leaks import near_duplicates
from emowhy.datasets import find_dataset, find_folder
from emowhy.errors import InputError, MissingError, UsageError, nearest
from emowhy.read import Rejected, content_hash, read
from emowhy.specialists.training.rows import text_key
from emowhy.taxonomy import Taxonomy, find_taxonomy
from emowhy.tune.draws import draw_of
from emowhy.tune.recipe import SetRecipe, TuneRecipe
from emowhy.types import Sample

REPEATED = "repeats another row"
LEAK = "near-duplicate of a benchmark row"
DEV_LEAK = "near-duplicate of a dev row"
_MOST_DEV = 0.1
"""The largest share of a set that is kept apart."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A sample or row that is left out, and the reason it is counted under."""

    id: str
    data: str
    reason: str


@dataclass(frozen=True)
class Pool:
    """The samples that rows are made of: `train` drawn, `dev` kept apart; `read` is how many rows there were."""

    one: SetRecipe
    taxonomy: Taxonomy
    train: tuple[Sample, ...]
    dev: tuple[Sample, ...]
    dropped: tuple[Dropped, ...]
    read: int

    def terms(self) -> dict[str, Any]:
        """What must be said of the data: title, licence, whether it allows commercial use, source."""
        if self.one.data is None:
            return {"title": self.one.name, "licence": self.one.licence, "commercial": self.one.commercial}
        loader = find_dataset(self.one.data)
        return {name: getattr(loader, name) for name in ("title", "licence", "commercial", "source")}


def read_pool(one: SetRecipe, recipe: TuneRecipe, folder: Path, data: Path | None, barred: Sequence[str]) -> Pool:
    """One set's samples. `folder` is the recipe's, beside which its files lie; `barred` are texts of benchmarks.

    Raises MissingError where the files are not there (named, with source and licence), InputError where no row is left.
    """
    taxonomy = label_set(one)
    outcomes = _read(one, folder, data)
    rejected = [row for row in outcomes if isinstance(row, Rejected)]
    dropped = [Dropped(row.id or f"line {row.line}", one.name, row.reason) for row in rejected]

    def sieve(samples: Sequence[Sample], ids: Collection[str], reason: str) -> list[Sample]:
        dropped.extend(Dropped(sample.id, one.name, reason) for sample in samples if sample.id in ids)
        return [sample for sample in samples if sample.id not in ids]

    samples = [row for row in outcomes if isinstance(row, Sample)]
    if not one.explanations:
        samples = [replace(s, gold=replace(s.gold, explanation=None)) if s.gold else s for s in samples]
    samples = sieve(samples, _repeats(samples), REPEATED)
    samples = sieve(samples, near_duplicates(samples, barred), LEAK)
    dev = _kept_apart(samples, recipe.rows.dev, recipe.seed)
    apart = {sample.id for sample in dev}
    rest = [sample for sample in samples if sample.id not in apart]
    rest = sieve(rest, near_duplicates(rest, [sample.words() for sample in dev]), DEV_LEAK)
    if not rest:
        raise InputError(f"{one.name}: no row is left of {len(outcomes):,}: {tell(dropped)}", "check the files")
    return Pool(one, taxonomy, _drawn(rest, one, recipe.seed), dev, tuple(dropped), len(outcomes))


def keep_apart(pools: Sequence[Pool]) -> list[Pool]:
    """The pools, less the samples that are near a dev row of another set: sets may share texts."""
    found = []
    for pool in pools:
        others = [sample.words() for other in pools if other is not pool for sample in other.dev]
        near = near_duplicates(pool.train, others)
        dropped = tuple(Dropped(id, pool.one.name, DEV_LEAK) for id in sorted(near))
        train = tuple(sample for sample in pool.train if sample.id not in near)
        found.append(replace(pool, train=train, dropped=pool.dropped + dropped))
    return found


def label_set(one: SetRecipe) -> Taxonomy:
    """The label set that a set's gold is in; the open one where it has no labels. Raises UsageError for an unknown
    data set, split or label set."""
    if one.data is None:
        return find_taxonomy(one.labels or "open")
    loader = find_dataset(one.data)
    if one.split not in loader.splits:
        raise UsageError(f"{one.data} has no split {one.split!r}", nearest(one.split, loader.splits))
    labels = one.labels or loader.labels or "open"
    return find_taxonomy(labels if isinstance(labels, str) else ",".join(labels))


def tell(dropped: Iterable[Dropped]) -> str:
    """How many were left out for which reason, the commonest first."""
    counts = Counter(one.reason for one in dropped)
    return ", ".join(f"{reason} ({count:,})" for reason, count in counts.most_common()) or "nothing was there"


def _read(one: SetRecipe, folder: Path, data: Path | None) -> list[Sample | Rejected]:
    if one.data is not None:
        loader = find_dataset(one.data)
        return list(loader.read(find_folder(loader, data), one.split))
    path = folder / str(one.file)
    if not path.is_file():
        raise MissingError(f"no file {path.absolute()} (licence: {one.licence})", "a recipe's files lie beside it")
    return list(read(str(path)))


def _repeats(samples: Iterable[Sample]) -> set[str]:
    """The ids of samples of which a model would see the same as of an earlier one."""
    seen: set[str] = set()
    found: set[str] = set()
    for sample in samples:
        key = content_hash(sample)
        (found if key in seen else seen).add(sample.id if key in seen else key)
    return found


def _kept_apart(samples: Sequence[Sample], count: int, seed: int) -> tuple[Sample, ...]:
    """About `count` samples, at most a tenth of all: whole dialogues, and all samples with the same text."""
    wanted = min(count, int(len(samples) * _MOST_DEV))
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        groups.setdefault(str(sample.extra.get("dialogue") or text_key(sample.words())), []).append(sample)
    kept: list[Sample] = []
    for key in sorted(groups, key=lambda key: draw_of(seed, "dev", key).random()):
        if len(kept) >= wanted:
            break
        kept += groups[key]
    return tuple(kept)


def _drawn(samples: Sequence[Sample], one: SetRecipe, seed: int) -> tuple[Sample, ...]:
    """The set's number of samples, in their order, drawn without replacement by weight (Efraimidis and Spirakis 2006:
    those with the largest u ** (1 / weight))."""
    if one.rows is None or one.rows >= len(samples):
        return tuple(samples)
    counts = Counter(label for sample in samples for label in _labels(sample))
    keys = []
    for place, sample in enumerate(samples):
        rarest = min((counts[label] for label in _labels(sample)), default=1)
        keys.append((math.log(draw_of(seed, "draw", sample.id).random() or 1e-300) * rarest**one.balance, place))
    chosen = {place for _, place in sorted(keys, reverse=True)[: one.rows]}
    return tuple(sample for place, sample in enumerate(samples) if place in chosen)


def _labels(sample: Sample) -> tuple[str, ...]:
    return (sample.gold.emotions if sample.gold else None) or ()
