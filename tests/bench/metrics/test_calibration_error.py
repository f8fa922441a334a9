"""Laws of the calibration metrics, with worked examples by hand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.bench.metrics.calibration import brier_skill, coverage, label_ece, top_label_ece

Array = npt.NDArray[np.floating]


def rows(*cells: list[float]) -> Array:
    return np.array(cells, dtype=float)


P = rows([0.6, 0.4], [0.3, 0.7], [0.8, 0.2], [0.1, 0.9])
GOLD = rows([0, 1], [0, 1], [1, 0], [0, 1])


@st.composite
def sets(draw: st.DrawFn) -> tuple[Array, Array]:
    """Distinct probabilities and gold, both (rows, labels)."""
    count, labels = draw(st.integers(1, 40)), draw(st.integers(1, 4))
    random = np.random.default_rng(draw(st.integers(0, 999)))
    return random.random((count, labels)), (random.random((count, labels)) < 0.4).astype(float)


def test_top_label_ece_by_hand() -> None:
    # confidence .6 wrong, .7 right, .8 right, .9 right
    one = abs(0.6 - 0) + abs(0.7 - 1) + abs(0.8 - 1) + abs(0.9 - 1)
    assert top_label_ece(P, GOLD, bins=4) == pytest.approx(one / 4)
    assert top_label_ece(P, GOLD, bins=99) == pytest.approx(one / 4)  # empty bins weigh nothing
    # two bins of two: |.65 − .5| and |.85 − 1|
    assert top_label_ece(P, GOLD, bins=2) == pytest.approx((2 * 0.15 + 2 * 0.15) / 4)
    assert top_label_ece(P, GOLD, bins=1) == pytest.approx(abs(0.75 - 0.75))


def test_label_ece_by_hand() -> None:
    # label 0 at .25 or more: .3 (0), .6 (0), .8 (1); label 1: .4 (1), .7 (1), .9 (1)
    first, second = (0.3 + 0.6 + 0.2) / 3, (0.6 + 0.3 + 0.1) / 3
    assert label_ece(P, GOLD, least=0.25) == pytest.approx((first + second) / 2)
    # only .9 of label 1 is so high: labels without such a probability are left out
    assert label_ece(P, GOLD, least=0.85) == pytest.approx(0.1)
    assert label_ece(P, GOLD, least=0.95) == 0.0


@given(sets(), st.integers(1, 20))
def test_errors_are_between_0_and_1_and_do_not_depend_on_the_order(pair: tuple[Array, Array], n: int) -> None:
    p, gold = pair
    for error in (top_label_ece, label_ece):
        assert 0 <= error(p, gold, n) <= 1
        assert error(p[::-1], gold[::-1], n) == pytest.approx(error(p, gold, n))
    assert 0 <= top_label_ece(p, gold, 1) <= top_label_ece(p, gold, len(p)) + 1e-12  # finer bins cancel less


@given(sets())
def test_saying_what_is_true_is_perfectly_calibrated(pair: tuple[Array, Array]) -> None:
    gold = pair[1][pair[1].any(1)]
    if len(gold):
        assert top_label_ece(gold, gold) == 0
        assert label_ece(gold, gold) == 0
        assert brier_skill(gold, gold) == (1 if np.ptp(gold, 0).any() else 0)


def test_true_probabilities_have_a_small_error_and_overconfident_ones_a_large_one() -> None:
    random = np.random.default_rng(0)
    p = random.uniform(0.05, 0.95, (20_000, 1))
    gold = (random.random(p.shape) < p).astype(float)
    assert label_ece(p, gold) < 0.02  # 15 bins of 1,300: a standard error of .014 each, absolute values averaged
    assert label_ece(p**0.5, gold) > 0.1


def test_brier_skill_by_hand() -> None:
    # errors .36 .36 .09 .09 .04 .04 .01 .01: mean .125; base rates .25 and .75: .25 · .75 = .1875
    assert brier_skill(P, GOLD) == pytest.approx(1 - 0.125 / 0.1875)
    assert brier_skill(np.tile(GOLD.mean(0), (4, 1)), GOLD) == pytest.approx(0)
    assert brier_skill(1 - GOLD, GOLD) == pytest.approx(1 - 1 / 0.1875)
    assert brier_skill(np.full((3, 2), 0.5), np.ones((3, 2))) == 0  # nothing varies: there is no skill to have


def test_coverage_by_hand() -> None:
    inside = np.array([[True, False, False], [True, True, False], [False, False, False], [True, True, True]])
    gold = rows([1, 0, 0], [1, 0, 1], [0, 0, 0], [0, 1, 1])
    # row 1 lacks a gold label, row 2 has none to lack; sizes 1, 2, 0, 3
    assert coverage(inside, gold) == (3 / 4, 6 / 4)


@given(sets(), st.floats(0, 1), st.floats(0, 1))
def test_larger_sets_cover_more(pair: tuple[Array, Array], a: float, b: float) -> None:
    p, gold = pair
    wide, narrow = coverage(p >= min(a, b), gold), coverage(p >= max(a, b), gold)
    assert wide[0] >= narrow[0]
    assert wide[1] >= narrow[1]
    assert coverage(p >= 0, gold) == (1, p.shape[1])
