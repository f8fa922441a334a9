"""Laws of the best constant answer and of scores corrected for it, with worked examples by hand."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.bench.metrics.constant import Score, best_constant, chance_corrected
from emowhy.bench.metrics.labels import graded, set_scores

NAMES = ("anger", "annoyance", "fear", "happiness", "pride")
rows = st.lists(st.frozensets(st.sampled_from(NAMES), max_size=3), min_size=1, max_size=8)
shares = st.floats(0, 1).map(lambda x: round(x, 3))


def exact(gold: frozenset[str], said: frozenset[str]) -> float:
    return set_scores(gold, said)[2]


def near(gold: frozenset[str], said: frozenset[str]) -> float:
    return graded(gold, said)[2]


def golds(*texts: str) -> list[frozenset[str]]:
    return [frozenset(text.split()) for text in texts]


def mean(sets: list[frozenset[str]], said: tuple[str, ...]) -> float:
    return sum(exact(gold, frozenset(said)) for gold in sets) / len(sets)


def test_the_constant_list_grows_while_its_mean_does() -> None:
    sets = golds("a", "a", "b", "a b")
    # {a}: (1 + 1 + 0 + 2/3)/4 = .667; {b}: .417; {a, b}: (2/3 + 2/3 + 2/3 + 1)/4 = .75; c only costs
    assert best_constant(sets, ["c", "b", "a"], exact) == ("a", "b")
    assert best_constant(sets, ["c", "b", "a"], exact, most=1) == ("a",)
    assert best_constant(sets, ["c", "b", "a"], exact, most=0) == ()


def test_a_label_that_gains_nothing_is_not_added() -> None:
    # {a}: (1 + 1 + 0)/3; {a, b}: 2/3 in each row: the same
    assert best_constant(golds("a", "a", "b"), ["a", "b"], exact) == ("a",)


def test_of_equals_the_alphabetically_first_is_taken() -> None:
    # one of three: 1/3; two: (2/3 + 2/3 + 0)/3; three: 1/2 in each row
    assert best_constant(golds("b", "c", "a"), ["c", "a", "b"], exact) == ("a", "b", "c")


def test_where_gold_is_empty_the_best_answer_is_none() -> None:
    assert best_constant([frozenset()] * 3, ["a"], exact) == ()
    assert best_constant([], ["a"], exact) == ()


def test_rows_of_equal_gold_are_scored_once() -> None:
    asked = Counter[tuple[frozenset[str], frozenset[str]]]()

    def counted(gold: frozenset[str], said: frozenset[str]) -> float:
        asked[gold, said] += 1
        return exact(gold, said)

    assert best_constant(golds("a", "b", "b a", "a b") * 50, ["a", "b"], counted) == ("a", "b")
    assert set(asked.values()) == {1}


@pytest.mark.parametrize("score", [exact, near])
@given(sets=rows, random=st.randoms(use_true_random=False))
def test_the_order_of_rows_and_candidates_does_not_matter(
    score: Score, sets: list[frozenset[str]], random: np.random.Generator
) -> None:
    shuffled, names = list(sets), list(NAMES) * 2
    random.shuffle(shuffled)
    random.shuffle(names)
    assert best_constant(shuffled, names, score) == best_constant(sets, NAMES, score)


@given(rows, st.integers(1, 5))
def test_every_label_raises_the_mean_and_shorter_lists_are_its_beginnings(
    sets: list[frozenset[str]], most: int
) -> None:
    found = best_constant(sets, NAMES, exact, most)
    means = [mean(sets, found[:k]) for k in range(len(found) + 1)]
    assert all(a < b for a, b in itertools.pairwise(means))
    assert len(found) <= most
    assert found == best_constant(sets, NAMES, exact, len(NAMES))[:most]
    assert means[-1] >= max(mean(sets, (name,)) for name in NAMES) - 1e-9


def test_chance_corrected_by_hand_and_not_defined_where_the_constant_is_perfect() -> None:
    assert chance_corrected(0.6, 0.2) == pytest.approx(0.4 / 0.8)
    assert chance_corrected(0.2, 0.6) == pytest.approx(-0.4 / 0.4)  # worse than the constant answer
    assert np.isnan(chance_corrected(1.0, 1.0))


@given(st.lists(st.tuples(shares, shares), min_size=1, max_size=6))
def test_chance_corrected_takes_arrays_and_keeps_0_and_1_in_place(pairs: list[tuple[float, float]]) -> None:
    f, constant = np.array(pairs).T
    found = chance_corrected(f, constant)
    assert found == pytest.approx([chance_corrected(a, b) for a, b in pairs], nan_ok=True)
    assert (np.isnan(found) == (constant == 1)).all()
    assert (found[constant < 1] <= 1).all()
    assert chance_corrected(constant, constant)[constant < 1] == pytest.approx(0)
