"""What one constant answer would score: the best constant list of labels, and scores above it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import overload

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
Score = Callable[[frozenset[str], frozenset[str]], float]

_ROUNDING = 1e-12  # a smaller gain of a mean is noise of the last digits


def best_constant(
    golds: Sequence[frozenset[str]], candidates: Iterable[str], score: Score, most: int = 8
) -> tuple[str, ...]:
    """The list of at most `most` labels that, given as the answer to every row, has a high mean score.

    Greedy, from the empty list on: each step adds the candidate that raises the mean of `score(gold, predicted)` most
    (the alphabetically first of equals), and it ends where none raises it. Candidates are in the grouping of the golds.
    The order of rows and of candidates does not matter. Rows of equal gold are scored once, so the cost is
    most × candidates × distinct golds.
    """
    rows = Counter(golds)
    left = sorted(set(candidates))
    found: tuple[str, ...] = ()
    reached = _mean(rows, score, found)
    while left and len(found) < most:
        means = {label: _mean(rows, score, (*found, label)) for label in left}
        highest = max(means.values())
        if highest <= reached + _ROUNDING:
            break
        best = next(label for label in left if means[label] >= highest - _ROUNDING)
        found, reached = (*found, best), means[best]
        left.remove(best)
    return found


def _mean(rows: Counter[frozenset[str]], score: Score, labels: tuple[str, ...]) -> float:
    answer = frozenset(labels)
    # exactly rounded, so that the order of rows is not in the sum
    return math.fsum(count * score(gold, answer) for gold, count in rows.items()) / max(rows.total(), 1)


@overload
def chance_corrected(f: float, f_constant: float) -> float: ...
@overload
def chance_corrected(f: Array, f_constant: Array | float) -> Array: ...
def chance_corrected(f: Array | float, f_constant: Array | float) -> Array | float:
    """(F − F_const)/(1 − F_const): 1 at F = 1, 0 at the constant answer's score, below 0 under it.

    For numbers or arrays of them (bootstrap replicates); nan (not defined) where the constant answer scores 1.
    The form of Cohen's kappa (1960) with the constant answer in place of chance.
    """
    room = 1 - np.asarray(f_constant, dtype=float)
    found = (np.asarray(f, dtype=float) - f_constant) / np.where(room == 0, np.nan, room)
    return found if found.ndim else float(found)
