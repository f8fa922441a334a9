"""Figures as functions of sums: what makes one scorer fit any metric, any subset of rows and the bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]

DRAWS = 1000
"""Bootstrap resamples of every interval."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One family of metrics on n rows.

    `sums` (n, k): what each row adds. `figures` maps added-up statistics (..., k) to figures (...); a figure without
    rows to stand on is NaN. `rows` are values of single rows (n,), NaN where a row has none.
    """

    sums: Array
    figures: Callable[[Array], Mapping[str, Array]]
    rows: Mapping[str, Array] = field(default_factory=dict)

    def total(self, kept: npt.NDArray[np.bool_] | None = None) -> dict[str, float]:
        """The figures over all rows, or over those kept."""
        added = self.sums.sum(0) if kept is None else self.sums[kept].sum(0)
        with np.errstate(all="ignore"):
            return {name: float(value) for name, value in self.figures(added).items()}


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its seeded 95 % bootstrap interval; None where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None


class Resampling:
    """The same seeded resamples for every measure and every system, so that differences are paired.

    Rows of one group (a dialogue, say) are drawn together: `groups` names each row's.
    """

    def __init__(self, groups: Sequence[str], seed: int = 0, draws: int = DRAWS) -> None:
        numbers: dict[str, int] = {}
        self.group = np.array([numbers.setdefault(name, len(numbers)) for name in groups], dtype=np.int64)
        self.count = len(numbers)
        generator = np.random.default_rng(seed)
        if self.count:
            drawn = generator.integers(self.count, size=(draws, self.count))
            self._times = np.stack([np.bincount(row, minlength=self.count) for row in drawn]).astype(np.float64)
        else:
            self._times = np.zeros((draws, 0))

    def draws(self, measure: Measure) -> dict[str, Array]:
        """Each figure in every resample, shape (draws,)."""
        grouped = np.zeros((self.count, measure.sums.shape[1]))
        np.add.at(grouped, self.group, measure.sums)
        with np.errstate(all="ignore"):
            found = measure.figures(self._times @ grouped)
        return {name: np.asarray(values, dtype=np.float64) for name, values in found.items()}

    def intervals(self, measure: Measure) -> dict[str, Figure]:
        """Each figure over all rows with the 2.5th and 97.5th percentile of its resamples."""
        drawn = self.draws(measure)
        return {name: _figure(value, drawn[name]) for name, value in measure.total().items()}


def _figure(value: float, drawn: Array) -> Figure:
    if not np.isfinite(value):
        return Figure(None)
    known = drawn[np.isfinite(drawn)]
    if not len(known):
        return Figure(value)
    low, high = np.percentile(known, [2.5, 97.5])
    return Figure(value, float(low), float(high))


def means(names: Sequence[str], values: Array, counted: Array | None = None) -> Measure:
    """The measure whose figures are the means of per-row values (n, k), NaN meaning that a row has none."""
    values = np.asarray(values, dtype=np.float64).reshape(-1, len(names))
    known = np.isfinite(values) if counted is None else counted.astype(bool)
    width = len(names)

    def figures(added: Array) -> dict[str, Array]:
        return {name: added[..., i] / added[..., width + i] for i, name in enumerate(names)}

    sums = np.concatenate([np.where(known, values, 0.0), known.astype(np.float64)], axis=1)
    return Measure(sums, figures, {name: values[:, i] for i, name in enumerate(names)})


def ratio(above: Array, below: Array) -> Array:
    """above / below, NaN where below is 0."""
    below = np.asarray(below, dtype=np.float64)
    found: Array = np.divide(above, below, out=np.full(np.broadcast(above, below).shape, np.nan), where=below != 0)
    return found
