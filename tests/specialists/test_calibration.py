"""Laws of calibration, on simulated rows whose true probabilities are known."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emowhy.bench.metrics.calibration import coverage, label_ece, top_label_ece
from emowhy.bench.metrics.closed import label_f1
from emowhy.specialists.calibration import (
    LEVELS,
    Fitted,
    conformal_bounds,
    cross_fitted,
    fit,
    fit_shift,
    fit_thresholds,
    from_rows,
    logit,
    sigmoid,
    softmax,
    to_rows,
)

Array = npt.NDArray[np.floating]


def binary(count: int, seed: int, labels: int = 4, centre: float = -1.5) -> tuple[Array, Array]:
    """True log-odds and gold, (rows, labels)."""
    random = np.random.default_rng(seed)
    odds = random.normal(centre, 1.5, (count, labels))
    return odds, (random.random(odds.shape) < sigmoid(odds)).astype(float)


def single(count: int, seed: int, labels: int = 5) -> tuple[Array, Array]:
    """True log-probabilities up to a constant, and one gold label a row."""
    random = np.random.default_rng(seed)
    odds = random.normal(0, 1.2, (count, labels))
    gold = (odds + random.gumbel(size=odds.shape)).argmax(1)  # the Gumbel trick draws from the softmax
    return odds, np.eye(labels)[gold]


def plain(labels: int, exclusive: bool = False) -> Fitted:
    return Fitted(np.ones(labels), np.zeros(labels), np.full(labels, 0.5), exclusive)


def test_calibration_undoes_a_tilt_and_lowers_the_error_on_rows_that_it_never_saw() -> None:
    odds, gold = binary(4000, 0)
    said = 3 * odds + 2  # over-confident and too high
    fitted = fit(said[:2000], gold[:2000])
    assert fitted.scale == pytest.approx(1 / 3, abs=0.06)
    assert fitted.shift == pytest.approx(-2 / 3, abs=0.2)
    before, after = plain(4).probabilities(said[2000:]), fitted.probabilities(said[2000:])
    assert label_ece(after, gold[2000:]) < label_ece(before, gold[2000:]) / 2
    assert top_label_ece(after, gold[2000:]) < top_label_ece(before, gold[2000:]) / 2


def test_one_temperature_fits_labels_that_exclude_each_other_and_never_changes_the_likeliest() -> None:
    odds, gold = single(4000, 1)
    fitted = fit(4 * odds[:2000], gold[:2000], exclusive=True)
    assert fitted.scale == pytest.approx(np.full(5, 1 / 4), abs=0.03)
    assert not fitted.shift.any()
    before, after = (one.probabilities(4 * odds[2000:]) for one in (plain(5, True), fitted))
    assert after.sum(1) == pytest.approx(1)
    assert (after.argmax(1) == before.argmax(1)).all()
    assert top_label_ece(after, gold[2000:]) < top_label_ece(before, gold[2000:]) / 2


@given(
    st.lists(st.tuples(st.floats(-80, 80), st.booleans()), max_size=30),
    st.floats(0.1, 3),
    st.none() | st.floats(-5, 5),
)
@settings(deadline=None)
def test_any_logits_have_a_finite_fit_no_less_likely_than_its_start(
    rows: list[tuple[float, bool]], scale: float, shift: float | None
) -> None:
    z, y = np.array([row[0] for row in rows]), np.array([float(row[1]) for row in rows])
    a, b = fit_shift(z, y, scale, shift)
    assert math.isfinite(a)
    assert math.isfinite(b)

    def loss(one: float, two: float) -> float:
        odds = one * z + two
        return float((np.logaddexp(0, odds) - y * odds).sum())

    assert loss(a, b) <= loss(scale, shift or 0.0) + 1e-6


def test_few_rows_stay_near_the_prior_and_many_leave_it() -> None:
    odds, gold = binary(6000, 2)
    prior = Fitted(np.full(4, 1.0), np.full(4, -2.0), np.full(4, 0.2))
    few, many = (fit(odds[:n] + 1, gold[:n], prior=prior) for n in (6, 6000))
    assert np.abs(few.shift - prior.shift).max() < 0.5
    assert np.abs(few.scale - prior.scale).max() < 0.5
    assert many.shift == pytest.approx(np.full(4, -1), abs=0.2)


def test_a_label_without_positives_keeps_the_priors_threshold_and_without_a_prior_has_one_half() -> None:
    odds, gold = binary(200, 3)
    gold[:, 1] = 0
    prior = Fitted(np.ones(4), np.zeros(4), np.array([0.2, 0.31, 0.2, 0.2]))
    assert fit(odds, gold, prior=prior).threshold[1] == 0.31
    assert fit(odds, gold).threshold[1] == pytest.approx(0.5)


def naive_threshold(p: Array, y: Array) -> float:
    """Where F1 peaks on these very rows."""
    bounds = np.unique(p)
    f1 = [2 * (y * (p >= b)).sum() / ((p >= b).sum() + y.sum()) for b in bounds]
    return float(bounds[int(np.argmax(f1))])


def test_thresholds_are_steady_with_few_positives_and_cost_little_on_new_rows() -> None:
    fresh, gold = binary(40_000, 4, labels=1, centre=-6)
    best = max(label_f1((sigmoid(fresh) >= b).astype(float), gold)[0] for b in np.linspace(0.02, 0.9, 89))
    ours, naive = [], []
    for seed in range(30):
        odds, y = binary(1500, 100 + seed, labels=1, centre=-6)  # about a dozen positives
        if y.any():
            ours.append(float(fit_thresholds(sigmoid(odds), y)[0]))
            naive.append(naive_threshold(sigmoid(odds)[:, 0], y[:, 0]))
    assert np.std(logit(np.array(ours))) < np.std(logit(np.array(naive))) / 1.5
    reached = [label_f1((sigmoid(fresh) >= t).astype(float), gold)[0] for t in ours]
    assert np.mean(reached) > 0.85 * best


def test_with_many_rows_the_threshold_is_half_of_the_best_f1() -> None:
    odds, gold = binary(20_000, 5, labels=1)
    best = max(label_f1((sigmoid(odds) >= b).astype(float), gold)[0] for b in np.linspace(0.1, 0.6, 101))
    assert fit_thresholds(sigmoid(odds), gold)[0] == pytest.approx(best / 2, abs=0.05)  # Lipton et al. 2014


def test_conformal_bounds_by_hand() -> None:
    # the least likely gold label of each row has .9, .8, …, .1; (9 + 1) · .5 = 5: the fifth from above
    p = np.array([[k / 10, 0.95] for k in range(9, 0, -1)])
    gold = np.ones_like(p)
    found = conformal_bounds(p, gold)
    assert list(found) == list(LEVELS)
    assert found[0.5] == pytest.approx(0.5)
    assert found[0.51] == pytest.approx(0.4)  # 5.1 is the sixth
    assert found[0.9] == pytest.approx(0.1)
    assert found[0.91] == 0.0  # the tenth of nine: everything is a candidate
    # 99 rows: (99 + 1) · .55 is 55, and no more by rounding
    many = np.linspace(0.99, 0.01, 99)[:, None]
    assert conformal_bounds(many, np.ones_like(many))[0.55] == many[54, 0]


def test_rows_without_gold_say_nothing_about_candidates() -> None:
    p, gold = np.array([[0.6, 0.2], [0.3, 0.1], [0.9, 0.9]]), np.array([[1, 0], [0, 0], [0, 0]])
    assert conformal_bounds(p, gold)[0.5] == 0.6
    assert set(conformal_bounds(p, np.zeros_like(p)).values()) == {0.0}


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("exclusive", [False, True])
def test_candidate_sets_hold_what_they_promise_whatever_the_probabilities(level: float, exclusive: bool) -> None:
    """The mean coverage over many calibration parts of 199 rows is ⌈200 · level⌉/200 (Vovk), to 4 standard errors."""
    held = []
    for seed in range(150):
        odds, gold = single(500, seed) if exclusive else binary(500, seed)
        known = gold.any(1)
        odds, gold = odds[known], gold[known]
        p = softmax(odds) ** 2 if exclusive else sigmoid(1.7 * odds + 1)  # badly calibrated on purpose
        bound = conformal_bounds(p[:199], gold[:199])[level]
        held.append(coverage(p[199:] >= bound, gold[199:])[0])
    error = math.sqrt(level * (1 - level) * (1 / 200 + 1 / (len(p) - 199)) / len(held))
    assert np.mean(held) == pytest.approx(math.ceil(200 * level) / 200, abs=4 * error)


def test_more_coverage_needs_lower_bounds() -> None:
    odds, gold = binary(300, 6)
    bounds = list(conformal_bounds(sigmoid(odds), gold).values())
    assert bounds == sorted(bounds, reverse=True)


def test_cross_fitted_figures_are_about_rows_that_nothing_was_fitted_on() -> None:
    random = np.random.default_rng(7)
    gold = (random.random((2000, 6)) < 0.3).astype(float)
    noise = random.normal(size=gold.shape)
    found = cross_fitted(noise, gold)
    assert {"macro_f1", "top1", "top3", "top5", "ece_top", "brier_skill", "coverage_90", "set_size_90"} == set(found)
    assert found["brier_skill"] < 0.01  # noise has no skill, not even on the rows it was tuned to
    perfect = cross_fitted(6 * gold - 3, gold)
    assert perfect["macro_f1"] > 0.99


@given(
    st.lists(st.tuples(st.floats(0.1, 9), st.floats(-9, 9), st.floats(0.001, 0.99)), min_size=1, max_size=5),
    st.booleans(),
)
def test_what_is_kept_in_a_config_comes_back(values: list[tuple[float, float, float]], exclusive: bool) -> None:
    columns = [np.array(column) for column in zip(*values, strict=True)]
    fitted = Fitted(columns[0], columns[1], columns[2], exclusive)
    labels = tuple(f"label {k}" for k in range(len(values)))
    back = from_rows(to_rows(fitted, labels), labels, exclusive)
    for one, two in ((back.scale, fitted.scale), (back.shift, fitted.shift), (back.threshold, fitted.threshold)):
        assert one == pytest.approx(two, abs=1e-5)
    assert back.exclusive == exclusive


def test_a_label_that_was_never_fitted_keeps_its_probability() -> None:
    back = from_rows({"joy": {"scale": 2.0, "shift": 1.0, "threshold": 0.4}}, ("anger", "joy"))
    odds = logit(np.array([[0.3, 0.3]]))
    assert back.probabilities(odds)[0, 0] == pytest.approx(0.3)
    assert back.threshold.tolist() == [0.3, 0.4]
