"""Laws of comparing two systems on the same rows, with worked examples by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.bench.measure import Measure, Resampling, means
from emowhy.bench.stats import holm, mcnemar, paired_difference

shares = st.lists(st.floats(0, 1), min_size=1, max_size=10)
bits = st.lists(st.sampled_from([0.0, 1.0, math.nan]), min_size=1, max_size=30)
p_values = st.lists(st.floats(0, 1), max_size=8)


def measure(*numbers: float) -> Measure:
    return means(["share"], np.array(numbers)[:, None])


def rows(count: int) -> Resampling:
    return Resampling([str(row) for row in range(count)])


# Paired bootstrap -------------------------------------------------------------------------------------------------


@given(shares)
def test_a_system_does_not_differ_from_itself(numbers: list[float]) -> None:
    figure, p = paired_difference(measure(*numbers), measure(*numbers), rows(len(numbers)))["share"]
    assert (figure.value, figure.low, figure.high, p) == (0, 0, 0, 1)


def test_the_difference_is_the_second_less_the_first() -> None:
    figure, _ = paired_difference(measure(0, 1, 0, 0), measure(1, 1, 0, 1), rows(4))["share"]
    assert figure.value == pytest.approx(3 / 4 - 1 / 4)


def test_rows_are_paired_so_that_an_even_gain_has_no_spread() -> None:
    # the rows differ a lot among themselves, but each gains .1: every resample does
    before = (0.1, 0.5, 0.9, 0.3)
    figure, p = paired_difference(measure(*before), measure(*(b + 0.1 for b in before)), rows(4))["share"]
    assert (figure.value, figure.low, figure.high) == pytest.approx((0.1, 0.1, 0.1))
    assert p == pytest.approx(2 / 1001)  # no resample of 1000 is at or under 0: 2 · (0 + 1) / (1000 + 1)


def test_p_is_never_0_and_never_above_1() -> None:
    for other in ((1, 1, 1), (0, 0, 0), (0, 1, 1)):
        _, p = paired_difference(measure(0, 1, 0), measure(*other), rows(3))["share"]
        assert 0 < p <= 1


@given(shares, st.data())
def test_turning_the_two_round_turns_the_sign_only(a: list[float], data: st.DataObject) -> None:
    b = data.draw(st.lists(st.floats(0, 1), min_size=len(a), max_size=len(a)))
    one, p = paired_difference(measure(*a), measure(*b), rows(len(a)))["share"]
    other, q = paired_difference(measure(*b), measure(*a), rows(len(a)))["share"]
    assert one.value is not None
    assert other.value == pytest.approx(-one.value)
    assert (other.low, other.high) == pytest.approx((-(one.high or 0), -(one.low or 0)))
    assert p == q


def test_a_figure_that_one_of_the_two_lacks_is_not_compared() -> None:
    both = means(["share", "more"], np.ones((2, 2)))
    assert set(paired_difference(measure(1, 1), both, rows(2))) == {"share"}
    undefined, p = paired_difference(measure(1, 1), measure(math.nan, math.nan), rows(2))["share"]
    assert (undefined.value, undefined.low, p) == (None, None, 1)


# McNemar ----------------------------------------------------------------------------------------------------------


def test_mcnemar_by_hand() -> None:
    # 1 row only in a, 5 only in b: p = 2 · (C(6,0) + C(6,1)) / 2^6 = 14/64
    a = np.array([1, 0, 0, 0, 0, 0, 1, 0], dtype=float)
    b = np.array([0, 1, 1, 1, 1, 1, 1, 0], dtype=float)
    assert mcnemar(a, b) == pytest.approx((1, 5, 14 / 64))
    # 0 against 6: 2 / 2^6
    assert mcnemar(np.zeros(6), np.ones(6)) == pytest.approx((0, 6, 2 / 64))


def test_rows_that_agree_say_nothing() -> None:
    agreed = np.array([1.0, 1.0, 0.0])
    assert mcnemar(agreed, agreed) == (0, 0, 1)
    longer = np.concatenate([agreed, agreed])
    only = mcnemar(np.append(agreed, 0), np.append(agreed, 1)), mcnemar(np.append(longer, 0), np.append(longer, 1))
    assert only[0] == only[1] == (0, 1, 1)


def test_rows_that_one_lacks_count_for_nothing() -> None:
    assert mcnemar(np.array([math.nan, 0, 1]), np.array([1, math.nan, 0])) == (1, 0, 1)


@given(bits, st.data())
def test_mcnemar_does_not_care_which_is_which(a: list[float], data: st.DataObject) -> None:
    b = data.draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=len(a), max_size=len(a)))
    only_a, only_b, p = mcnemar(np.array(a), np.array(b))
    assert mcnemar(np.array(b), np.array(a)) == pytest.approx((only_b, only_a, p))
    assert 0 < p <= 1


# Holm -------------------------------------------------------------------------------------------------------------


def test_holm_by_hand() -> None:
    # sorted .01 .02 .04: 3 · .01 = .03, 2 · .02 = .04, 1 · .04 = .04; given back in their own order
    assert holm([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    # 2 · .03 = .06 carries over to the larger .05, which by itself would be .05
    assert holm([0.03, 0.05]) == pytest.approx([0.06, 0.06])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([]) == []


@given(p_values)
def test_adjusting_raises_every_p_at_most_to_bonferronis(given_p: list[float]) -> None:
    for raw, adjusted in zip(given_p, holm(given_p), strict=True):
        assert raw <= adjusted <= min(1, raw * len(given_p)) + 1e-12


@given(p_values)
def test_adjusting_keeps_the_order(given_p: list[float]) -> None:
    adjusted = holm(given_p)
    order = sorted(range(len(given_p)), key=lambda row: given_p[row])
    assert [adjusted[row] for row in order] == sorted(adjusted)


@given(st.floats(0, 1))
def test_a_single_test_is_not_adjusted(p: float) -> None:
    assert holm([p]) == [p]
