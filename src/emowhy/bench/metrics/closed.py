"""Closed label sets: decisions and ranked scores against gold labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]


def label_f1(decided: Array, gold: Array) -> Array:
    """F1 of each label, shape (labels,); both inputs are 0/1, shape (rows, labels).

    A label that nobody has and nobody decides on has F1 0 (scikit-learn's `zero_division=0`).
    """
    both = (decided * gold).sum(0)
    found: Array = 2 * both / np.maximum(decided.sum(0) + gold.sum(0), 1)
    return found


def macro_f1(decided: Array, gold: Array) -> float:
    """The unweighted mean of the labels' F1."""
    return float(label_f1(decided, gold).mean())


def gold_in_top(scores: Array, gold: Array, k: int) -> float:
    """Share of rows with a gold label among the `k` highest scores; rows without gold labels count as misses."""
    top = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float(np.take_along_axis(gold, top, axis=1).max(1).mean())


def pearson(predicted: Array, gold: Array) -> float:
    """Pearson's r of two (rows,) arrays; 0 where one of them never varies or there are none."""
    if not len(gold) or np.ptp(predicted) == 0 or np.ptp(gold) == 0:  # a rounded mean would leave noise to correlate
        return 0.0
    a, b = predicted - predicted.mean(), gold - gold.mean()
    norm = np.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / norm) if norm > 0 else 0.0
