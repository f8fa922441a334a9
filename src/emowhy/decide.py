"""Which labels to answer where a probability of each is all that is known."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping

from emowhy.taxonomy import similarity

_MOST = 3
_LOOKED_AT = 6  # the likeliest; sets of all labels would be many, and a label below them wins nothing

_near = functools.lru_cache(maxsize=1 << 14)(similarity)


def decide(scores: Mapping[str, float]) -> tuple[str, ...]:
    """The one to three labels that are expected to overlap most with an annotator's, the likeliest first.

    `scores` are calibrated probabilities by label; () where none is above 0. An annotator's label y is taken to be
    drawn in proportion to them. The graded F of a set S against {y} is 2 · max over s in S of sim(s, y) / (|S| + 1)
    (`emowhy.bench.metrics.labels.graded`), and S has the highest mean of it over y: a decision of minimum Bayes risk.
    So a second label is named where the first leaves much open, and of near labels one stands for the others.
    """
    ranked = sorted((label for label, score in scores.items() if score > 0), key=lambda label: -scores[label])
    sets = [found for size in range(1, _MOST + 1) for found in itertools.combinations(ranked[:_LOOKED_AT], size)]
    return max(sets, key=lambda found: _expected(found, scores), default=())


def _expected(found: tuple[str, ...], scores: Mapping[str, float]) -> float:
    """The mean overlap, but for a factor that all sets share; smaller sets come first and win ties."""
    covered = sum(score * max(_near(label, other) for label in found) for other, score in scores.items())
    return round(covered / (len(found) + 1), 12)
