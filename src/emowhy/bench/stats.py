"""Comparing systems on the same rows: paired bootstrap, exact McNemar, Holm's correction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import norm

from emowhy.bench.measure import Array, Figure, Measure, Resampling

_FEW = 10  # resamples on the rarer side of 0


def paired_difference(a: Measure, b: Measure, resampling: Resampling) -> dict[str, tuple[Figure, float]]:
    """b − a of every figure that both have, with its interval, and a two-sided p.

    p is twice the smaller share of resamples on either side of 0, with one added to count and draws so that it is never
    0 (Davison and Hinkley 1997, section 4.2); a difference of exactly 0 in a resample lies on both sides. Where fewer
    than ten lie on that side, so few say little, and Holm's correction over a large grid would let nothing pass: there
    the tail of a normal distribution with the resamples' mean and deviation counts, if it is smaller.
    """
    totals_a, totals_b = a.total(), b.total()
    draws_a, draws_b = resampling.draws(a), resampling.draws(b)
    found: dict[str, tuple[Figure, float]] = {}
    for name in totals_a:
        if name not in totals_b:
            continue
        value = totals_b[name] - totals_a[name]
        drawn = draws_b[name] - draws_a[name]
        drawn = drawn[np.isfinite(drawn)]
        if not np.isfinite(value) or not len(drawn):
            found[name] = Figure(None), 1.0
            continue
        low, high = np.percentile(drawn, [2.5, 97.5])
        side = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
        p = min(1.0, 2 * (side + 1) / (len(drawn) + 1))
        if side < _FEW and drawn.std() > 1e-9:  # less is rounding
            p = min(p, float(2 * norm.sf(abs(drawn.mean()) / drawn.std())))
        found[name] = Figure(value, float(low), float(high)), p
    return found


def mcnemar(a: Array, b: Array) -> tuple[int, int, float]:
    """Rows right only in a, only in b, and the exact two-sided p (McNemar 1947; binomial with 1/2).

    `a` and `b` are 0/1, shape (rows,); rows that are NaN in either count for nothing.
    """
    from scipy.stats import binomtest

    known = np.isfinite(a) & np.isfinite(b)
    only_a, only_b = int(((a > b) & known).sum()), int(((b > a) & known).sum())
    if only_a + only_b == 0:
        return 0, 0, 1.0
    return only_a, only_b, float(binomtest(only_a, only_a + only_b).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values of a family of tests, in the same order (Holm 1979): p·(tests left), never falling."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [1.0] * len(p_values)
    worst = 0.0
    for rank, i in enumerate(order):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = worst
    return adjusted
