"""Laws of figures as functions of sums: totals, means, ratios, and resamples that keep groups together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.bench.measure import DRAWS, Figure, Measure, Resampling, means, ratio

values = st.lists(st.floats(0, 1, allow_subnormal=False), min_size=1, max_size=12)
gaps = st.lists(st.one_of(st.just(math.nan), st.floats(0, 1)), min_size=1, max_size=12)


def mean_of(numbers: list[float]) -> Measure:
    return means(["share"], np.array(numbers)[:, None])


# Totals -----------------------------------------------------------------------------------------------------------


def test_a_mean_leaves_out_rows_without_a_value() -> None:
    measure = mean_of([1, 0, math.nan, 1])
    assert measure.total() == {"share": pytest.approx(2 / 3)}
    assert measure.rows["share"] == pytest.approx([1, 0, math.nan, 1], nan_ok=True)


def test_a_mean_of_no_rows_is_not_defined() -> None:
    assert math.isnan(mean_of([math.nan, math.nan]).total()["share"])
    assert math.isnan(means(["share"], np.zeros((0, 1))).total()["share"])


@given(gaps)
def test_a_mean_is_numpys_mean_of_what_is_known(numbers: list[float]) -> None:
    known = [number for number in numbers if not math.isnan(number)]
    expected = float(np.mean(known)) if known else math.nan
    assert mean_of(numbers).total()["share"] == pytest.approx(expected, nan_ok=True)


def test_several_means_keep_their_columns_apart() -> None:
    measure = means(["a", "b"], np.array([[1, 0.5], [0, math.nan]]))
    assert measure.total() == {"a": 0.5, "b": 0.5}


@given(values, st.data())
def test_a_part_of_the_rows_has_the_figures_of_those_rows_alone(numbers: list[float], data: st.DataObject) -> None:
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=len(numbers), max_size=len(numbers))), dtype=bool)
    part = [number for number, keep in zip(numbers, kept, strict=True) if keep]
    alone = mean_of(part).total() if part else {"share": math.nan}
    assert mean_of(numbers).total(kept) == pytest.approx(alone, nan_ok=True)
    assert mean_of(numbers).total(np.ones(len(numbers), dtype=bool)) == mean_of(numbers).total()


@given(values, values)
def test_sums_of_two_parts_are_the_sums_of_the_whole(a: list[float], b: list[float]) -> None:
    parts = mean_of(a).sums.sum(0) + mean_of(b).sums.sum(0)
    assert parts == pytest.approx(mean_of(a + b).sums.sum(0))


def test_a_ratio_without_a_divisor_is_not_defined() -> None:
    found = ratio(np.array([1.0, 0.0, 3.0]), np.array([2.0, 0.0, 0.0]))
    assert found == pytest.approx([0.5, math.nan, math.nan], nan_ok=True)


# Resampling -------------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_resamples_and_another_seed_others() -> None:
    measure = mean_of([0, 1, 1, 0, 1])
    one, again, other = (Resampling(list("abcde"), seed).draws(measure)["share"] for seed in (3, 3, 4))
    assert one.shape == (DRAWS,)
    assert (one == again).all()
    assert (one != other).any()


def test_rows_of_one_group_are_drawn_together() -> None:
    # two dialogues of two turns: a resample has d1 twice, d2 twice, or each once; never a part of one
    measure = mean_of([1, 0, 0.5, 0])
    drawn = Resampling(["d1", "d1", "d2", "d2"], draws=200).draws(measure)["share"]
    assert set(drawn) == {0.5, 0.25, 0.375}
    apart = Resampling(list("abcd"), draws=200).draws(measure)["share"]
    assert set(drawn) < set(apart)


@given(values)
def test_one_group_has_an_interval_of_no_width(numbers: list[float]) -> None:
    figure = Resampling(["d"] * len(numbers)).intervals(mean_of(numbers))["share"]
    assert (figure.low, figure.high) == pytest.approx((figure.value, figure.value))


@given(values)
def test_an_interval_lies_within_the_values_and_around_their_mean(numbers: list[float]) -> None:
    names = [str(row) for row in range(len(numbers))]
    figure = Resampling(names, draws=100).intervals(mean_of(numbers))["share"]
    assert figure.value is not None
    assert figure.low is not None
    assert figure.high is not None
    assert min(numbers) - 1e-9 <= figure.low <= figure.high <= max(numbers) + 1e-9
    assert figure.value == pytest.approx(np.mean(numbers))


def test_the_order_of_groups_does_not_matter_to_totals_nor_do_their_names() -> None:
    measure = mean_of([0, 1, 1])
    assert Resampling(list("abc")).intervals(measure) == Resampling(list("xyz")).intervals(measure)


def test_a_figure_without_rows_has_neither_value_nor_interval() -> None:
    assert Resampling(["a"]).intervals(mean_of([math.nan])) == {"share": Figure(None)}
    assert Resampling([]).intervals(means(["share"], np.zeros((0, 1)))) == {"share": Figure(None)}


def test_resamples_without_a_row_to_stand_on_are_left_out_of_the_interval() -> None:
    figure = Resampling(["a", "b"]).intervals(mean_of([1, math.nan]))["share"]
    assert (figure.value, figure.low, figure.high) == (1, 1, 1)  # a quarter of the resamples has row b only


def test_an_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    # 300 samples of 60 throws with p = .3: the percentile interval is known to cover a little under 95 %
    generator = np.random.default_rng(7)
    names = [str(row) for row in range(60)]
    covered = 0
    for trial in range(300):
        throws = (generator.random(60) < 0.3).astype(float)
        figure = Resampling(names, seed=trial, draws=300).intervals(means(["share"], throws[:, None]))["share"]
        covered += (figure.low or 0) <= 0.3 <= (figure.high or 0)
    assert 0.90 <= covered / 300 <= 0.98


def test_groups_that_agree_within_widen_the_interval() -> None:
    # 20 dialogues of 5 turns that are all right or all wrong hold 20 facts, not 100
    numbers = [float(dialogue % 2) for dialogue in range(20) for _ in range(5)]
    grouped = Resampling([str(row // 5) for row in range(100)]).intervals(mean_of(numbers))["share"]
    alone = Resampling([str(row) for row in range(100)]).intervals(mean_of(numbers))["share"]
    width = [(figure.high or 0) - (figure.low or 0) for figure in (grouped, alone)]
    assert width[0] / width[1] == pytest.approx(math.sqrt(5), rel=0.25)  # standard errors as 1/√20 to 1/√100
