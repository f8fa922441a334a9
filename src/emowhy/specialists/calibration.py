"""From scores to probabilities, decisions and candidate sets. All of it is fitted on rows nothing was trained on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emowhy.bench.metrics.calibration import brier_skill, coverage, top_label_ece
from emowhy.bench.metrics.closed import gold_in_top, macro_f1

Array = npt.NDArray[np.floating]

_LEAST_SCALE = 0.05

LEVELS = tuple(round(0.5 + 0.01 * k, 2) for k in range(50))
"""Coverages for which candidate sets are fitted: .50 to .99."""


def sigmoid(x: Array) -> Array:
    found: Array = 1 / (1 + np.exp(-np.clip(x, -60, 60)))
    return found


def logit(p: Array) -> Array:
    """Log-odds, of probabilities kept off 0 and 1."""
    p = np.clip(p, 1e-6, 1 - 1e-6)
    found: Array = np.log(p / (1 - p))
    return found


def softmax(x: Array) -> Array:
    """Over the last axis."""
    raised = np.exp(x - x.max(-1, keepdims=True))
    found: Array = raised / raised.sum(-1, keepdims=True)
    return found


@dataclass(frozen=True)
class Fitted:
    """What turns a head's logits into probabilities and decisions; every array has shape (labels,).

    A label's probability is sigmoid(scale · logit + shift) or, for labels that exclude each other, the softmax
    of those; it is decided on from its threshold on.
    """

    scale: Array
    shift: Array
    threshold: Array
    exclusive: bool = False

    def probabilities(self, logits: Array) -> Array:
        """Of logits (rows, labels)."""
        scaled = logits * self.scale + self.shift
        return softmax(scaled) if self.exclusive else sigmoid(scaled)


def fit(logits: Array, gold: Array, exclusive: bool = False, prior: Fitted | None = None) -> Fitted:
    """Calibrate logits (rows, labels) against 0/1 gold: one scale and shift a label, or one temperature for all.

    `prior` is what the result stays close to where rows say little (by default scale 1, shift free).
    """
    count = logits.shape[1]
    if exclusive:
        scale = np.full(count, _temperature(logits, gold))
        shift = np.zeros(count)
    else:
        starts = [(1.0, None)] * count if prior is None else list(zip(prior.scale, prior.shift, strict=True))
        pairs = [fit_shift(z, y, a, b) for z, y, (a, b) in zip(logits.T, gold.T, starts, strict=True)]
        scale, shift = (np.array(values) for values in zip(*pairs, strict=True))
    plain = Fitted(scale, shift, np.full(count, 0.5), exclusive)
    threshold = fit_thresholds(plain.probabilities(logits), gold)
    if prior is not None:
        threshold = np.where(gold.any(0), threshold, prior.threshold)  # no positives say nothing
    return Fitted(scale, shift, threshold, exclusive)


def fit_shift(
    logits: Array, gold: Array, scale: float = 1.0, shift: float | None = None, weight: float = 5.0
) -> tuple[float, float]:
    """Scale and shift that make sigmoid(scale · logit + shift) a probability (Platt 1999), by Newton's method.

    A Gaussian prior of this weight holds the scale near its start (and the shift, where one is given): some labels
    have two dozen positives.
    """
    home = np.array([scale, shift or 0.0])
    hold = np.array([weight, 0.0 if shift is None else weight])
    at = home.copy()

    def loss(place: Array) -> float:
        z = place[0] * logits + place[1]
        return float((np.logaddexp(0, z) - gold * z).sum() + (hold / 2 * (place - home) ** 2).sum())

    def descend(free: slice) -> None:
        for _ in range(100):
            p = sigmoid(at[0] * logits + at[1])
            bend = p * (1 - p) + 1e-9
            slope = np.array([((p - gold) * logits).sum(), (p - gold).sum()]) + hold * (at - home)
            cross = (bend * logits).sum()
            curve = np.array([[(bend * logits**2).sum(), cross], [cross, bend.sum() + 1e-6]]) + np.diag(hold)
            step = np.zeros(2)
            step[free] = np.linalg.solve(curve[free, free], slope[free])
            while loss(at - step) > loss(at) and np.abs(step).max() > 1e-9:
                step = step / 2  # far from the optimum a whole step can overshoot
            at[:] = at - step
            if np.abs(step).max() < 1e-8:
                break

    descend(slice(0, 2))
    if at[0] < _LEAST_SCALE:  # a ranking is never turned round, however odd the rows
        at[0] = _LEAST_SCALE
        descend(slice(1, 2))
    return float(at[0]), float(at[1])


def _temperature(logits: Array, gold: Array) -> float:
    """The factor on the logits that makes their softmax most likely (Guo et al. 2017), by golden-section search."""
    share = gold / np.maximum(gold.sum(1, keepdims=True), 1)

    def loss(log_scale: float) -> float:
        return float(-(share * np.log(softmax(logits * math.exp(log_scale)) + 1e-12)).sum())

    low, high, ratio = -3.0, 3.0, (math.sqrt(5) - 1) / 2
    while high - low > 1e-4:
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, b) if loss(a) < loss(b) else (a, high)
    return math.exp((low + high) / 2)


def fit_thresholds(probabilities: Array, gold: Array) -> Array:
    """One threshold a label for the best F1, shape (labels,): steady where a label has few positives.

    The mean, in log-odds, of two estimates: the peak of the F1 curve over these rows, smoothed by a Gaussian of
    .35 log-odds; and half the best F1 that the probabilities themselves expect (for calibrated probabilities the
    optimum: Lipton et al. 2014, 1402.1892), which needs no gold.
    """
    found = []
    grid = np.linspace(-5, 3, 161)
    blur = np.exp(-0.5 * ((grid[:, None] - grid) / 0.35) ** 2)
    blur /= blur.sum(1, keepdims=True)
    for p, y in zip(probabilities.T, gold.T, strict=True):
        z = logit(p)
        order = np.argsort(z)
        below = np.searchsorted(z[order], grid)
        hits = y.sum() - np.concatenate([[0], np.cumsum(y[order])])[below]
        f1 = 2 * hits / np.maximum(len(p) - below + y.sum(), 1)
        seen = grid[int(np.argmax(blur @ f1))]
        ranked = np.sort(p)[::-1]
        expected = 2 * np.cumsum(ranked) / (np.arange(1, len(p) + 1) + ranked.sum())
        found.append((seen + logit(np.array(expected.max() / 2))) / 2 if y.any() else logit(np.array(0.5)))
    return sigmoid(np.array(found, dtype=float))


def conformal_bounds(probabilities: Array, gold: Array) -> dict[float, float]:
    """For each coverage of `LEVELS`, the probability from which on a label belongs to the candidate set.

    Split conformal prediction (Vovk et al. 2005; Angelopoulos and Bates 2107.07511, section 1): a row's score is
    1 − the probability of its least likely gold label, and the bound 1 − its quantile ⌈(n+1)·coverage⌉/n, so that
    all gold labels of a new row like these are inside with at least that probability. 0 where n is too small.
    """
    rows = gold.any(1)
    least = np.sort(np.where(gold[rows] > 0, probabilities[rows], np.inf).min(1))[::-1]
    ranks = {level: math.ceil(round((len(least) + 1) * level, 6)) for level in LEVELS}
    return {level: float(least[rank - 1]) if rank <= len(least) else 0.0 for level, rank in ranks.items()}


def halves(count: int) -> Iterator[tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]]:
    """(rows to fit on, rows to score): the even and the odd rows, both ways."""
    even = np.arange(count) % 2 == 0
    yield even, ~even
    yield ~even, even


def cross_fitted(logits: Array, gold: Array, exclusive: bool = False, prior: Fitted | None = None) -> dict[str, float]:
    """Figures with everything fitted on one half of the rows and scored on the other, both ways, mean of the two."""
    found: list[dict[str, float]] = []
    for on, score in halves(len(gold)):
        fitted = fit(logits[on], gold[on], exclusive, prior)
        p, y = fitted.probabilities(logits[score]), gold[score]
        bound = conformal_bounds(fitted.probabilities(logits[on]), gold[on])[0.9]
        covered, size = coverage(p >= bound, y)
        found.append(
            {
                "macro_f1": macro_f1((p >= fitted.threshold).astype(float), y),
                **{f"top{k}": gold_in_top(p, y, k) for k in (1, 3, 5) if k < y.shape[1]},
                "ece_top": top_label_ece(p, y),
                "brier_skill": brier_skill(p, y),
                "coverage_90": covered,
                "set_size_90": size,
            }
        )
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def to_rows(fitted: Fitted, labels: tuple[str, ...]) -> dict[str, Any]:
    """As it is kept in a specialist's config: label -> scale, shift, threshold."""
    columns = zip(labels, fitted.scale, fitted.shift, fitted.threshold, strict=True)
    return {
        label: {"scale": round(float(a), 5), "shift": round(float(b), 5), "threshold": round(float(t), 5)}
        for label, a, b, t in columns
    }


def from_rows(rows: dict[str, Any], labels: tuple[str, ...], exclusive: bool = False) -> Fitted:
    """What `to_rows` kept; a label that was never fitted keeps its probability and needs .3 of it."""
    plain = {"scale": 1.0, "shift": 0.0, "threshold": 0.3}
    found = [rows.get(label, plain) for label in labels]
    columns = [np.array([row[name] for row in found]) for name in ("scale", "shift", "threshold")]
    return Fitted(columns[0], columns[1], columns[2], exclusive)
