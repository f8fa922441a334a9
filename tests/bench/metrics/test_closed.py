"""Laws of the metrics over closed label sets, with worked examples by hand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.bench.metrics.closed import gold_in_top, label_f1, macro_f1, pearson

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
