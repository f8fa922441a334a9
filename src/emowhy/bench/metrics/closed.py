"""Closed label sets: decisions and ranked scores against gold labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]

_LEAST = 1e-12  # the smallest probability that a logarithm sees


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


def right_rows(decided: Array, gold: Array) -> Array:
    """1 for each row whose decisions are all right, else 0, shape (rows,); both inputs are 0/1, shape (rows, labels).

    A row of zeros is an answer outside the label set, or none: it is right only where there is no gold either.
    """
    found: Array = (decided == gold).all(1).astype(float)
    return found


def accuracy(decided: Array, gold: Array) -> float:
    """Share of `right_rows`, for several labels a row the subset accuracy; 0 where there are no rows."""
    return float(right_rows(decided, gold).sum() / max(len(gold), 1))


@dataclass(frozen=True, slots=True, eq=False)
class LabelCounts:
    """How often each label was rightly decided on, decided on, and gold: each of shape (..., labels).

    All scores below are functions of these sums, so leading axes may hold bootstrap replicates.
    """

    hits: Array
    decided: Array
    gold: Array


@dataclass(frozen=True, slots=True, eq=False)
class LabelTable:
    """Each label's scores, 0 to 1, and how many rows have it: each of shape (..., labels)."""

    precision: Array
    recall: Array
    f1: Array
    support: Array


def count_labels(decided: Array, gold: Array) -> LabelCounts:
    """The counts of 0/1 decisions and gold, both of shape (rows, labels)."""
    return LabelCounts((decided * gold).sum(0), decided.sum(0), gold.sum(0))


def label_table(counts: LabelCounts) -> LabelTable:
    """Precision, recall and F1 of each label.

    0 where the divisor is: the precision of a label that is never decided on, the recall of one that nobody has,
    the F1 of one that is neither (scikit-learn's `zero_division=0`).
    """
    return LabelTable(
        _ratio(counts.hits, counts.decided),
        _ratio(counts.hits, counts.gold),
        _ratio(2 * counts.hits, counts.decided + counts.gold),
        counts.gold,
    )


def f1_averages(counts: LabelCounts) -> tuple[Array, Array, Array]:
    """Macro, weighted and micro F1, each of shape (...): see `macro_f1`, `weighted_f1` and `micro_f1`."""
    table = label_table(counts)
    weighted = _ratio((table.f1 * table.support).sum(-1), table.support.sum(-1))
    micro = _ratio(2 * counts.hits.sum(-1), (counts.decided + counts.gold).sum(-1))
    return table.f1.mean(-1), weighted, micro


def weighted_f1(decided: Array, gold: Array) -> float:
    """The mean of the labels' F1 weighted by the rows that have them; 0 where no row has any."""
    return float(f1_averages(count_labels(decided, gold))[1])


def micro_f1(decided: Array, gold: Array) -> float:
    """F1 of all decisions taken together; 0 where there is neither a decision nor a gold label."""
    return float(f1_averages(count_labels(decided, gold))[2])


def soft_scores(predicted_distribution: Array, votes: Array) -> tuple[Array, Array, Array]:
    """Cross-entropy, Jensen–Shannon distance and rater accuracy of each row, each of shape (rows,).

    Inputs are of shape (rows, labels), not negative; each row is scaled to sum to 1: p, and the share of votes q.
    Cross-entropy: −Σ q ln p in nats, p taken as at least 1e-12, so that a denied label costs 27.6 and not infinity.
    Distance: √JS(p, q) to base 2, 0 to 1 (Lin 1991; Endres and Schindelin 2003). Rater accuracy: the share of votes
    for the likeliest label (of equals, the first). A row that says nothing (all 0) gets the worst: 27.6, 1, 0; a row
    without votes is nan in all three.
    """
    said, voted = predicted_distribution.sum(1) > 0, votes.sum(1) > 0
    p = _ratio(predicted_distribution, predicted_distribution.sum(1, keepdims=True))
    q = _ratio(votes, votes.sum(1, keepdims=True))
    entropy = np.abs((q * np.log(np.clip(p, _LEAST, 1))).sum(1))
    agreed = np.where(said, q[np.arange(len(q)), p.argmax(1)], 0)
    distance = np.where(said, np.sqrt(np.clip(_divergence(p, q), 0, 1)), 1)
    entropy, distance, agreed = (np.where(voted, scores, np.nan) for scores in (entropy, distance, agreed))
    return entropy, distance, agreed


def _divergence(p: Array, q: Array) -> Array:
    """Jensen–Shannon divergence in bits of each row: the mean divergence of both from their mean."""
    middle = np.maximum((p + q) / 2, np.finfo(float).tiny)  # where it is 0, so are both, and 0 ln 0 is 0
    bits = [(x * np.log2(np.maximum(x, np.finfo(float).tiny) / middle)).sum(1) for x in (p, q)]
    found: Array = (bits[0] + bits[1]) / 2
    return found


def _ratio(above: Array, below: Array) -> Array:
    """Element by element, 0 where the divisor is 0."""
    found: Array = above / np.where(below == 0, 1, below)
    return found
