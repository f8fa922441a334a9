"""Do probabilities mean what they say? Calibration error, Brier skill, and the coverage of candidate sets."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]


def top_label_ece(probabilities: Array, gold: Array, bins: int = 15) -> float:
    """Expected calibration error of the likeliest label: the mean over bins of equal mass of |confidence − accuracy|.

    Guo et al. 2017 (1706.04599), with quantile bins. Shapes (rows, labels); a top label is right if it is gold.
    """
    top = probabilities.argmax(1)
    sure, right = probabilities.max(1), gold[np.arange(len(gold)), top]
    parts = np.array_split(np.argsort(sure, kind="stable"), bins)
    return float(
        sum(len(part) * abs(sure[part].mean() - right[part].mean()) for part in parts if len(part)) / len(sure)
    )


def label_ece(probabilities: Array, gold: Array, bins: int = 15, least: float = 0.1) -> float:
    """Calibration error of each label over its probabilities of `least` or more, averaged over labels that have any."""
    found = []
    for p, y in zip(probabilities.T, gold.T, strict=True):
        high = p >= least
        if high.any():
            said, true = p[high], y[high]
            parts = np.array_split(np.argsort(said, kind="stable"), bins)
            gaps = [len(part) * abs(said[part].mean() - true[part].mean()) for part in parts if len(part)]
            found.append(sum(gaps) / len(said))
    return float(np.mean(found)) if found else 0.0


def brier_skill(probabilities: Array, gold: Array) -> float:
    """1 − Brier score / Brier score of always saying the base rates (Murphy 1973); 0 is no better than those."""
    reference = ((gold.mean(0) - gold) ** 2).mean()
    return float(1 - ((probabilities - gold) ** 2).mean() / reference) if reference else 0.0


def coverage(inside: npt.NDArray[np.bool_], gold: Array) -> tuple[float, float]:
    """Of candidate sets, shape (rows, labels): share of rows all of whose gold labels are inside, and mean size."""
    return float((inside | (gold == 0)).all(1).mean()), float(inside.sum(1).mean())
