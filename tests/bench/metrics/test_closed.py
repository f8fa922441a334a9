"""Laws of the metrics over closed label sets, with worked examples by hand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.bench.metrics.closed import (
    LabelCounts,
    accuracy,
    count_labels,
    f1_averages,
    gold_in_top,
    label_f1,
    label_table,
    macro_f1,
    micro_f1,
    pearson,
    right_rows,
    soft_scores,
    weighted_f1,
)

Array = npt.NDArray[np.floating]


def rows(*cells: list[float]) -> Array:
    return np.array(cells, dtype=float)


@st.composite
def tables(draw: st.DrawFn, highest: int = 1) -> tuple[Array, Array]:
    """Two tables of one shape (rows, labels)."""
    shape = draw(st.integers(1, 12)), draw(st.integers(1, 5))
    cells = st.integers(0, highest)
    one, two = (draw(st.lists(cells, min_size=shape[0] * shape[1], max_size=shape[0] * shape[1])) for _ in "ab")
    return np.array(one, dtype=float).reshape(shape), np.array(two, dtype=float).reshape(shape)


def test_f1_of_each_label_by_hand() -> None:
    gold = rows([1, 0, 0], [1, 1, 0], [0, 1, 0], [1, 0, 0])
    decided = rows([1, 0, 0], [0, 1, 0], [1, 1, 0], [1, 1, 0])
    # label 0: 2 hits, 3 decided, 3 gold: 4/6; label 1: 2 hits, 3 decided, 2 gold: 4/5; label 2: nobody: 0
    assert label_f1(decided, gold) == pytest.approx([4 / 6, 4 / 5, 0])
    assert macro_f1(decided, gold) == pytest.approx((4 / 6 + 4 / 5 + 0) / 3)


@given(tables())
def test_f1_is_between_0_and_1_symmetric_and_1_where_every_decision_is_right(pair: tuple[Array, Array]) -> None:
    decided, gold = pair
    assert ((label_f1(decided, gold) >= 0) & (label_f1(decided, gold) <= 1)).all()
    assert label_f1(decided, gold) == pytest.approx(label_f1(gold, decided))
    assert label_f1(gold, gold) == pytest.approx(gold.any(0).astype(float))


@given(tables(), st.randoms(use_true_random=False))
def test_f1_does_not_depend_on_the_order_of_rows(pair: tuple[Array, Array], random: np.random.Generator) -> None:
    decided, gold = pair
    order = list(range(len(gold)))
    random.shuffle(order)
    assert label_f1(decided[order], gold[order]) == pytest.approx(label_f1(decided, gold))


def test_an_empty_answer_earns_nothing_where_there_is_gold() -> None:
    gold = rows([1, 0], [0, 1])
    assert macro_f1(np.zeros((2, 2)), gold) == 0


def test_gold_in_top_by_hand_and_rows_without_gold_are_misses() -> None:
    scores = rows([0.9, 0.5, 0.1], [0.2, 0.3, 0.1], [0.1, 0.2, 0.3], [0.6, 0.5, 0.4])
    gold = rows([0, 1, 0], [0, 1, 0], [1, 0, 0], [0, 0, 0])
    # the ranks of the gold labels are 2, 1, 3 and none
    assert [gold_in_top(scores, gold, k) for k in (1, 2, 3, 9)] == [0.25, 0.5, 0.75, 0.75]


@given(tables(highest=1))
def test_more_candidates_never_hurt_and_all_of_them_find_every_gold_label(pair: tuple[Array, Array]) -> None:
    scores, gold = pair
    found = [gold_in_top(scores, gold, k) for k in range(1, gold.shape[1] + 1)]
    assert found == sorted(found)
    assert found[-1] == pytest.approx(gold.any(1).mean())


def test_pearson_by_hand() -> None:
    # deviations -1, 0, 1 and -1, 1, 0: products 1 + 0 + 0, norms √2 each
    assert pearson(np.array([1.0, 2, 3]), np.array([1.0, 3, 2])) == pytest.approx(1 / 2)
    assert pearson(np.array([1.0, 2, 3]), np.array([6.0, 4, 2])) == pytest.approx(-1)


numbers = st.lists(st.floats(-1e3, 1e3).map(lambda x: round(x, 3)), min_size=2, max_size=20)


@given(numbers, st.floats(0.1, 50), st.floats(-50, 50))
def test_pearson_ignores_scale_and_shift(values: list[float], scale: float, shift: float) -> None:
    x = np.array(values)
    if np.ptp(x) > 0:
        assert pearson(scale * x + shift, x) == pytest.approx(1, abs=1e-6)
        assert pearson(-scale * x + shift, x) == pytest.approx(-1, abs=1e-6)


@given(numbers, st.floats(-9, 9))
def test_what_never_varies_correlates_with_nothing(values: list[float], same: float) -> None:
    # .1 three times has a mean of .10000000000000002: its deviations are noise, all of one sign
    x, flat = np.array(values), np.full(len(values), same)
    assert pearson(flat, x) == pearson(x, flat) == pearson(flat, flat) == 0
    assert pearson(np.array([]), np.array([])) == 0


def test_label_table_and_averages_by_hand() -> None:
    gold = rows([1, 0, 0], [1, 1, 0], [0, 1, 0], [1, 0, 0])
    decided = rows([1, 0, 0], [0, 1, 0], [1, 1, 0], [1, 1, 0])
    table = label_table(count_labels(decided, gold))
    # label 0: 2 hits of 3 decided and 3 gold; label 1: 2 of 3 and 2; label 2: nobody, so 0 and not undefined
    assert table.precision == pytest.approx([2 / 3, 2 / 3, 0])
    assert table.recall == pytest.approx([2 / 3, 1, 0])
    assert table.f1 == pytest.approx([2 / 3, 4 / 5, 0])
    assert table.support.tolist() == [3, 2, 0]
    assert weighted_f1(decided, gold) == pytest.approx((3 * 2 / 3 + 2 * 4 / 5) / 5)
    assert micro_f1(decided, gold) == pytest.approx(2 * 4 / (6 + 5))


def test_accuracy_asks_for_whole_rows_by_hand() -> None:
    gold = rows([1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0])
    decided = rows([1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0])
    # right; half of it; an answer outside the label set; no label and none asked for
    assert right_rows(decided, gold).tolist() == [1, 0, 0, 1]
    assert accuracy(decided, gold) == 1 / 2
    assert accuracy(np.zeros((0, 3)), np.zeros((0, 3))) == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=12))
def test_with_one_label_a_row_micro_f1_is_accuracy_and_an_answer_outside_the_set_costs_recall_alone(
    answers: list[tuple[int, int]],
) -> None:
    gold, said = (np.array(column) for column in zip(*answers, strict=True))
    wanted, decided = np.eye(4)[gold], np.eye(5)[said][:, :4]  # 4 is outside the set
    inside, right = int((said < 4).sum()), int((said == gold).sum())
    assert micro_f1(decided, wanted) == pytest.approx(2 * right / (inside + len(gold)))
    assert accuracy(decided, wanted) == right / len(gold)
    if inside == len(gold):
        assert micro_f1(decided, wanted) == pytest.approx(accuracy(decided, wanted))


@given(tables())
def test_averages_of_f1_are_between_0_and_1_and_agree_with_the_labels(pair: tuple[Array, Array]) -> None:
    decided, gold = pair
    table, averages = label_table(count_labels(decided, gold)), f1_averages(count_labels(decided, gold))
    assert all(0 <= average <= 1 for average in averages)
    assert averages[0] == pytest.approx(macro_f1(decided, gold))
    assert table.f1 == pytest.approx(label_f1(decided, gold))
    both = table.precision + table.recall
    assert table.f1 == pytest.approx(2 * table.precision * table.recall / np.where(both > 0, both, 1))
    assert (weighted_f1(gold, gold), micro_f1(gold, gold), accuracy(gold, gold)) == (*[float(gold.any())] * 2, 1)


@given(tables(), st.integers(0, 99))
def test_averages_take_counts_of_many_replicates_at_once(pair: tuple[Array, Array], seed: int) -> None:
    decided, gold = pair
    drawn = np.random.default_rng(seed).integers(0, len(gold), (5, len(gold)))
    counts = [count_labels(decided[rows], gold[rows]) for rows in drawn]
    stacked = LabelCounts(*(np.stack([getattr(c, name) for c in counts]) for name in ("hits", "decided", "gold")))
    one_by_one = np.array([f1_averages(count) for count in counts]).T
    assert np.array(f1_averages(stacked)) == pytest.approx(one_by_one)


def test_soft_scores_by_hand() -> None:
    votes = rows([3, 1], [3, 1], [4, 0])
    said = rows([0.5, 0.5], [0.25, 0.75], [1, 0])
    entropy, distance, raters = soft_scores(said, votes)
    assert entropy == pytest.approx([np.log(2), 0.75 * np.log(4) + 0.25 * np.log(4 / 3), 0])
    # the mean of (.75, .25) and (.25, .75) is (.5, .5): both diverge by .75 log2 1.5 + .25 log2 .5 bits
    assert distance[1:] == pytest.approx([np.sqrt(0.75 * np.log2(1.5) - 0.25), 0])
    # the mean with (.5, .5) is (.625, .375)
    far = (0.75 * np.log2(0.75 / 0.625) + 0.25 * np.log2(0.25 / 0.375) + 0.5 * np.log2(0.25 / (0.625 * 0.375))) / 2
    assert distance[0] == pytest.approx(np.sqrt(far))
    # of two equally likely labels the first is the answer: 3 of 4 raters said it
    assert raters.tolist() == [0.75, 0.25, 1]


def test_denied_votes_cost_much_but_not_infinity_silence_is_worst_and_rows_without_votes_are_nan() -> None:
    entropy, distance, raters = soft_scores(rows([0, 1], [0, 0], [0.5, 0.5]), rows([2, 0], [2, 0], [0, 0]))
    assert entropy[:2] == pytest.approx(12 * np.log(10))
    assert distance[:2].tolist() == [1, 1]
    assert raters[:2].tolist() == [0, 0]
    assert np.isnan([entropy[2], distance[2], raters[2]]).all()


@given(tables(highest=5), st.floats(0.1, 9), st.randoms(use_true_random=False))
def test_soft_scores_keep_their_bounds_and_ignore_scale_and_the_order_of_labels(
    pair: tuple[Array, Array], scale: float, random: np.random.Generator
) -> None:
    said, votes = pair[0] + 1, pair[1] + np.eye(1, pair[1].shape[1])
    entropy, distance, raters = soft_scores(said, votes)
    share = votes / votes.sum(1, keepdims=True)
    least = -(share * np.log(np.where(share > 0, share, 1))).sum(1)
    assert (entropy >= least - 1e-9).all()  # Gibbs: no distribution beats the votes themselves
    assert (distance >= 0).all()
    assert (distance <= 1).all()
    assert ((raters >= 0) & (raters <= share.max(1) + 1e-12)).all()
    order = list(range(votes.shape[1]))
    random.shuffle(order)
    again = soft_scores(scale * said[:, order], votes[:, order])
    assert again[0] == pytest.approx(entropy)
    assert again[1] == pytest.approx(distance, abs=1e-6)
    assert soft_scores(votes, said)[1] == pytest.approx(distance, abs=1e-6)


@given(tables(highest=5))
def test_saying_what_the_raters_say_is_best(pair: tuple[Array, Array]) -> None:
    votes = pair[1] + np.eye(1, pair[1].shape[1])
    share = votes / votes.sum(1, keepdims=True)
    entropy, distance, raters = soft_scores(share, votes)
    assert entropy == pytest.approx(-(share * np.log(np.where(share > 0, share, 1))).sum(1))
    assert distance == pytest.approx(0, abs=1e-6)
    assert raters == pytest.approx(share.max(1))
