"""What each kind of head learns from, how its loss goes, how it is judged on dev, and what its config keeps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from emowhy.bench.metrics.closed import pearson
from emowhy.errors import InputError, UsageError
from emowhy.specialists.calibration import (
    conformal_bounds,
    cross_fitted,
    fit,
    logit,
    sigmoid,
    to_rows,
)
from emowhy.specialists.gold import gold_labels
from emowhy.specialists.training import rows
from emowhy.specialists.training.loop import Source
from emowhy.specialists.training.network import Head
from emowhy.specialists.training.recipe import HeadRecipe
from emowhy.specialists.training.rows import Array, Say
from emowhy.specialists.words import mask_labels
from emowhy.taxonomy import carry, find_taxonomy, reachable, taxonomy_names
from emowhy.types import Sample

Figures = dict[str, float]


@dataclass
class Part:
    """One split as heads see it: samples, token ids, and each token's place in the text."""

    samples: list[Sample]
    ids: list[list[int]]
    offsets: list[list[tuple[int, int]]]


class LearnedHead:
    """A head with its rows. `shares` says whose rows it learns from: heads of one data set share a pass."""

    head: Head
    main: str
    """The figure that is chosen by."""

    def __init__(self, name: str, recipe: HeadRecipe, data: Path | None, tokenizer: Any, say: Say) -> None:
        self.name, self.recipe = name, recipe
        self.train = self.part(rows.read_samples(recipe, data, "train", say), tokenizer)
        self.dev = self.part(rows.read_samples(recipe, data, rows.dev_split(recipe), say), tokenizer)

    def part(self, samples: list[Sample], tokenizer: Any) -> Part:
        texts = [self.text(sample).encode("utf-8", "replace").decode() for sample in samples]
        encoded = tokenizer.encode_batch(texts)
        return Part(samples, [e.ids for e in encoded], [e.offsets for e in encoded])

    def text(self, sample: Sample) -> str:
        return sample.words()

    def targets(self) -> Any:
        """One target a training row, see `loop.Source`."""
        raise TypeError(f"{type(self).__name__} overrides too little of LearnedHead")

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        raise TypeError(f"{type(self).__name__} overrides too little of LearnedHead")

    def figures(self, outputs: Any) -> Figures:
        """Of the head's outputs for the dev rows."""
        raise TypeError(f"{type(self).__name__} overrides too little of LearnedHead")

    def settings(self, outputs: Any) -> dict[str, Any]:
        """What the specialist's config keeps about this head, fitted on the dev rows' outputs."""
        raise TypeError(f"{type(self).__name__} overrides too little of LearnedHead")


class LabelsHead(LearnedHead):
    """Which emotions: binary decisions with more weight on rare labels, or exclusive labels that share a softmax."""

    def __init__(self, name: str, recipe: HeadRecipe, data: Path | None, tokenizer: Any, say: Say) -> None:
        from emowhy.datasets import find_dataset

        labels = find_dataset(recipe.data).labels
        if not isinstance(labels, str):
            raise UsageError(f"{recipe.data} has no named label set", f"head {name}: take a data set that has one")
        self.taxonomy = find_taxonomy(labels)
        self.main = "top1" if recipe.exclusive else "macro_f1"
        super().__init__(name, recipe, data, tokenizer, say)
        self.head = Head(len(self.taxonomy.labels))
        self.gold = gold_labels(self.train.samples, self.taxonomy.labels)
        self.dev_gold = gold_labels(self.dev.samples, self.taxonomy.labels).astype(float)
        self.soft: Array | None = None
        positives = np.maximum(self.gold.sum(0), 1)
        rare = np.sqrt((len(self.gold) - positives) / positives)
        self._weight = torch.tensor(np.minimum(rare, recipe.positive_weight), dtype=torch.float32)
        self.also: Source | None = None
        # rows of dev on which only the candidate sets are fitted
        self._kept = np.array([rows.fold_of(rows.text_key(s.words()), 3) == 0 for s in self.dev.samples])

    def text(self, sample: Sample) -> str:
        return mask_labels(sample.words(), self.taxonomy.labels) if self.recipe.mask_labels else sample.words()

    def targets(self) -> Array:
        return self.gold if self.soft is None else self.soft

    def learn_also(self, folder: Path, tokenizer: Any, say: Say) -> None:
        """Read the recipe's further rows, whose file lies in `folder`."""
        if self.recipe.also is None:
            return
        samples = rows.read_also(self.recipe.also, folder, self.taxonomy.labels, say)
        ids, times = self.part(samples, tokenizer).ids, self.recipe.also.times
        targets = np.tile(gold_labels(samples, self.taxonomy.labels), (times, 1))
        self.also = Source(self.recipe.also.name, ids * times, {self.name: targets})

    def teach(self, probabilities: Array, share: float) -> None:
        """Mix a teacher's probabilities for the training rows into the targets."""
        self.soft = ((1 - share) * self.gold + share * probabilities).astype(np.float32)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        if self.recipe.exclusive:
            share = targets / targets.sum(1, keepdim=True).clamp(min=1)
            found: Tensor = torch.nn.functional.cross_entropy(logits, share, label_smoothing=self.recipe.smoothing)
            return found
        weight = self._weight.to(logits.device)
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, pos_weight=weight)

    def untilt(self, logits: Array) -> Array:
        """Probabilities of raw binary logits, without the tilt that the positives' weight gave them."""
        found: Array = sigmoid(logits - np.log(self._weight.numpy())).astype(np.float32)
        return found

    def figures(self, outputs: Array, whole: bool = False) -> Figures:
        """Cross-fitted; while training, without the rows kept for the candidate sets."""
        use = np.ones_like(self._kept) if whole else ~self._kept
        return cross_fitted(outputs[use].astype(float), self.dev_gold[use], self.recipe.exclusive)

    def settings(self, outputs: Array) -> dict[str, Any]:
        """Calibration, thresholds and candidate bounds for every label set that its labels are carried to."""
        own, exclusive = self.taxonomy, self.recipe.exclusive
        logits, fit_on = outputs.astype(float), ~self._kept
        first = fit(logits[fit_on], self.dev_gold[fit_on], exclusive)
        found: dict[str, Any] = {
            "kind": "labels",
            "taxonomy": own.name,
            "labels": list(own.labels),
            "exclusive": exclusive,
            "calibration": {},
            "conformal": {},
        }
        for name in taxonomy_names():
            target = find_taxonomy(name)
            z, y, fitted = logits, self.dev_gold, first
            seen = np.ones(len(own.labels), dtype=bool)
            if target != own:
                z = logit(carry(first.probabilities(logits), own, target))
                y = carry(self.dev_gold, own, target)
                seen = np.array(reachable(own, target)) & (y.sum(0) > 0)
                fitted = fit(z[fit_on], y[fit_on])
            kept = to_rows(fitted, target.labels)
            found["calibration"][name] = {
                label: row for label, row, at in zip(target.labels, kept.values(), seen, strict=True) if at
            }
            p = fitted.probabilities(z[self._kept])[:, seen]
            bounds = conformal_bounds(p, y[self._kept][:, seen])
            found["conformal"][name] = {f"{level:.2f}": round(bound, 5) for level, bound in bounds.items()}
        return found


class ValuesHead(LearnedHead):
    """Numbers such as valence, learned as distances from their mean in standard deviations."""

    names = ("valence", "arousal", "dominance")
    main = "r"

    def __init__(self, name: str, recipe: HeadRecipe, data: Path | None, tokenizer: Any, say: Say) -> None:
        super().__init__(name, recipe, data, tokenizer, say)
        self.head = Head(len(self.names))
        values = rows.gold_values(self.train.samples, self.names)
        if np.isnan(values).all(0).any():
            raise InputError(f"{recipe.data} rates no {' or '.join(self.names)}", "name a data set that does")
        self._mean, self._spread = np.nanmean(values, 0), np.nanstd(values, 0) + 1e-6
        self._targets: Array = ((values - self._mean) / self._spread).astype(np.float32)

    def targets(self) -> Array:
        return self._targets

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        return _mean_where((logits - torch.nan_to_num(targets)) ** 2, targets)

    def figures(self, outputs: Array) -> Figures:
        gold = rows.gold_values(self.dev.samples, self.names)
        found = {}
        for k, name in enumerate(self.names):
            rated = ~np.isnan(gold[:, k])
            found[f"r_{name}"] = pearson(outputs[rated, k].astype(float), gold[rated, k].astype(float))
        return {"r": float(np.mean(list(found.values()))), **found}

    def settings(self, outputs: Array) -> dict[str, Any]:
        return {
            "kind": "values",
            "names": list(self.names),
            "range": [1, 5],
            "scale": [round(float(v), 5) for v in self._spread],
            "shift": [round(float(v), 5) for v in self._mean],
        }


class CuesHead(LearnedHead):
    """Telling words. Its targets are silver: they come late, from `occlusion` with the network as it then is."""

    main = "token_f1"

    def __init__(self, name: str, recipe: HeadRecipe, data: Path | None, tokenizer: Any, say: Say) -> None:
        super().__init__(name, recipe, data, tokenizer, say)
        self.head = Head(1, "token")
        self.silver: list[Array] = []
        self.dev_silver: list[Array] = []

    def targets(self) -> list[Array]:
        return self.silver

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        wanted = torch.nan_to_num(targets)
        each = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        return _mean_where(each, targets)

    def figures(self, outputs: list[Array]) -> Figures:
        f1, threshold = self._best(outputs)
        return {"token_f1": f1, "threshold": threshold}

    def _best(self, outputs: list[Array]) -> tuple[float, float]:
        """The threshold with the best F1 over the dev tokens of texts that have telling words."""
        kept = [(o[:, 0], s[:, 0]) for o, s in zip(outputs, self.dev_silver, strict=True) if np.nansum(s) > 0]
        if not kept:
            return 0.0, 0.5
        scores, silver = (np.concatenate(parts) for parts in zip(*kept, strict=True))
        inside = ~np.isnan(silver)
        p, y = sigmoid(scores[inside].astype(float)), silver[inside]
        bounds = np.linspace(0.05, 0.95, 91)
        f1 = [2 * (y * (p >= b)).sum() / max(1.0, (p >= b).sum() + y.sum()) for b in bounds]
        best = int(np.argmax(f1))
        return float(f1[best]), float(bounds[best])

    def settings(self, outputs: list[Array]) -> dict[str, Any]:
        return {"kind": "cues", "threshold": round(self._best(outputs)[1], 4)}


def _mean_where(each: Tensor, targets: Tensor) -> Tensor:
    """The mean over targets that are known."""
    known = ~torch.isnan(targets)
    found: Tensor = (each * known).sum() / known.sum().clamp(min=1)
    return found
