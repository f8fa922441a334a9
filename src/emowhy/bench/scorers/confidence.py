"""Do an answer's scores mean what they say? Calibration of the first label."""

from __future__ import annotations

import numpy as np

from emowhy.bench.measure import Array, Measure, ratio
from emowhy.bench.metrics.labels import group
from emowhy.bench.scorers.base import Case, Scorer
from emowhy.bench.scorers.labels import labelled

BINS = 15


class Calibration(Scorer):
    """Calibration error of the first label's score in bins of equal mass (Guo et al. 2017, 1706.04599), and Brier skill
    against always saying how often the first label is right. Over rows with a score; their share is `scored`.

    The bins are those of all rows; a resample keeps them. Equal scores are in one bin, so that the order of rows does
    not matter.
    """

    title = "calibration"

    def applies(self, case: Case) -> str | None:
        return None if labelled(case).any() else "no row has gold labels"

    def measure(self, case: Case) -> Measure:
        sure = np.full(len(case.samples), np.nan)
        right = np.zeros(len(case.samples))
        for row, (gold, answer) in enumerate(zip(case.golds(), case.answers, strict=True)):
            if gold.emotions is None or answer is None or not answer.emotions or answer.emotions[0].score is None:
                continue
            sure[row] = answer.emotions[0].score
            right[row] = bool(group(case.words(answer)[:1], "canonical") & group(gold.emotions, "canonical"))
        return Measure(_calibration_sums(sure, right, labelled(case)), _calibration_figures)


def _calibration_sums(sure: Array, right: Array, counted: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Array:
    """Per bin: confidence, right, rows; then squared error, right, scored rows, rows: (rows, 3·BINS + 4)."""
    known = np.isfinite(sure)
    sums = np.zeros((len(sure), 3 * BINS + 4))
    rows = np.flatnonzero(known)
    ranks = np.searchsorted(np.sort(sure[rows]), sure[rows])  # of equal scores the first's
    bins = ranks * BINS // max(len(rows), 1)
    sums[rows, bins] = sure[rows]
    sums[rows, BINS + bins] = right[rows]
    sums[rows, 2 * BINS + bins] = 1
    sums[:, 3 * BINS] = np.where(known, (np.nan_to_num(sure) - right) ** 2, 0)
    sums[:, 3 * BINS + 1] = right * known
    sums[:, 3 * BINS + 2] = known
    sums[:, 3 * BINS + 3] = counted
    return sums


def _calibration_figures(added: Array) -> dict[str, Array]:
    confidence, right = added[..., :BINS], added[..., BINS : 2 * BINS]
    error, hits, scored, rows = np.moveaxis(added[..., 3 * BINS :], -1, 0)
    rate = ratio(hits, scored)
    return {
        "top_ece": ratio(np.abs(confidence - right).sum(-1), scored),
        "top_brier_skill": 1 - ratio(error, scored * rate * (1 - rate)),
        "scored": ratio(scored, rows),
    }
