"""Laws of comparing clues by their similarity, with worked examples by hand, and of the encoder itself."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emowhy.bench.metrics.clue_similarity import (
    Array,
    Encoder,
    by_modality,
    clue_f1,
    clue_similarity,
    fit_threshold,
    floor,
    match_clues,
)
from emowhy.bench.metrics.clue_text import ClueText
from emowhy.errors import InputError, MissingError

TABLE = np.array([[0.9, 0.2, 0.1], [0.8, 0.6, 0.3]])  # two gold clues, three predicted
thresholds = st.sampled_from([0.0, 0.25, 0.5, 0.75])


@st.composite
def tables(draw: st.DrawFn, least: int = 0) -> Array:
    rows, columns = draw(st.integers(least, 4)), draw(st.integers(least, 4))
    cells = st.sampled_from([-0.5, 0.0, 0.25, 0.3, 0.5, 0.6, 0.75, 0.9, 1.0])
    return np.array([[draw(cells) for _ in range(columns)] for _ in range(rows)]).reshape(rows, columns)


def most_pairs(table: Array, threshold: float) -> int:
    """By trying every one-to-one matching."""
    few = table if len(table) <= table.shape[1] else table.T
    choices = itertools.permutations(range(few.shape[1]), len(few))
    return max(sum(bool(few[k, place] > threshold) for k, place in enumerate(chosen)) for chosen in choices)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder()


def test_clue_similarity_by_hand() -> None:
    # the best of each gold row: .9 and .8; of each predicted column: .9, .6 and .3
    precision, recall = (0.9 + 0.6 + 0.3) / 3, (0.9 + 0.8) / 2
    expected = (precision, recall, 2 * precision * recall / (precision + recall))
    assert clue_similarity(TABLE) == pytest.approx(expected)


def test_a_cosine_below_0_counts_0() -> None:
    assert clue_similarity(np.array([[-0.4]])) == (0, 0, 0)
    assert clue_similarity(np.array([[-0.4, 0.5]])) == pytest.approx((0.25, 0.5, 1 / 3))


def test_clue_f1_by_hand() -> None:
    # above .5: gold 0 - predicted 0, gold 1 - predicted 0 or 1: two pairs of two and three clues
    assert match_clues(TABLE, 0.5) == [(0, 0), (1, 1)]
    assert clue_f1(TABLE, 0.5) == pytest.approx((2 / 3, 2 / 2, 4 / 5))
    assert clue_f1(TABLE, 0.7) == pytest.approx((1 / 3, 1 / 2, 2 / 5))  # both golds want the same prediction
    assert clue_f1(TABLE, 0.9) == (0, 0, 0)  # above, not at


def test_most_pairs_are_matched_where_a_sum_of_cosines_would_take_fewer() -> None:
    table = np.array([[0.99, 0.5], [0.45, 0.0]])  # .99 + 0 is more than .5 + .45
    assert match_clues(table, 0.4) == [(0, 1), (1, 0)]


def test_of_as_many_pairs_the_more_similar_are_matched() -> None:
    assert match_clues(np.array([[0.6], [0.8]]), 0.5) == [(1, 0)]


@pytest.mark.parametrize("shape", [(0, 0), (0, 2), (2, 0)])
def test_sides_without_clues_score_as_for_every_metric(shape: tuple[int, int]) -> None:
    expected = {(0, 0): (1, 1, 1), (0, 2): (0, 1, 0), (2, 0): (0, 0, 0)}[shape]
    assert clue_similarity(np.zeros(shape)) == clue_f1(np.zeros(shape), 0.5) == expected
    assert match_clues(np.zeros(shape), 0.5) == []


@given(tables(least=1), thresholds)
@settings(deadline=None)
def test_the_matching_is_one_to_one_and_as_large_as_any(table: Array, threshold: float) -> None:
    found = match_clues(table, threshold)
    assert len({g for g, _ in found}) == len({p for _, p in found}) == len(found)
    assert all(table[pair] > threshold for pair in found)
    assert len(found) == most_pairs(table, threshold)


@given(tables(least=1), thresholds)
@settings(deadline=None)
def test_swapping_both_sides_swaps_precision_and_recall(table: Array, threshold: float) -> None:
    for p, r, f, other in (
        (*clue_similarity(table), clue_similarity(table.T)),
        (*clue_f1(table, threshold), clue_f1(table.T, threshold)),
    ):
        assert other == pytest.approx((r, p, f))
        assert all(0 <= value <= 1 + 1e-9 for value in (p, r, f))


@given(tables(least=1), thresholds)
@settings(deadline=None)
def test_the_order_of_clues_does_not_matter(table: Array, threshold: float) -> None:
    assert clue_f1(table[::-1, ::-1], threshold) == clue_f1(table, threshold)
    assert clue_similarity(table[::-1, ::-1]) == pytest.approx(clue_similarity(table))


@given(tables(least=1), thresholds)
@settings(deadline=None)
def test_a_further_clue_like_no_gold_one_lowers_f_and_a_higher_threshold_never_raises_it(
    table: Array, threshold: float
) -> None:
    further = np.hstack([table, np.full((len(table), 1), threshold)])
    assert clue_f1(further, threshold)[2] <= clue_f1(table, threshold)[2]
    assert clue_f1(table, threshold + 0.1)[2] <= clue_f1(table, threshold)[2]


def test_the_threshold_by_hand() -> None:
    wrong = [np.array([[0.3]]), np.array([[0.5]]), np.array([[0.7]]), np.array([[0.2]])]
    # mean F at 0: 4/4, at .2: 3/4, at .3: 2/4, at .5: 1/4, at .7: 0
    assert fit_threshold(wrong, most=0.5) == 0.3
    assert fit_threshold(wrong, most=0.3) == 0.5
    assert fit_threshold(wrong) == 0.7
    assert fit_threshold(wrong, most=1.0) == 0
    assert floor(wrong, 0.3) == pytest.approx(2 / 4)


@given(st.lists(tables(), min_size=1, max_size=5), st.sampled_from([0.05, 0.3, 0.6]))
@settings(deadline=None)
def test_the_fitted_threshold_keeps_the_floor_and_no_smaller_one_does(wrong: list[Array], most: float) -> None:
    if not any(table.size for table in wrong):
        with pytest.raises(InputError, match="no clues"):
            fit_threshold(wrong, most)
        return
    found = fit_threshold(wrong, most)
    assert floor(wrong, found) <= most
    assert found == 0 or floor(wrong, np.nextafter(found, 0)) > most


def test_the_floor_leaves_out_what_has_no_clues() -> None:
    assert floor([np.zeros((0, 0)), np.zeros((0, 3)), np.array([[0.9]])], 0.5) == 1
    assert floor([], 0.5) == 0


def test_the_table_of_one_modality_holds_the_clues_of_both_sides() -> None:
    gold = [ClueText("a", "visual"), ClueText("b", "audio"), ClueText("c", None)]
    told = [ClueText("d", "audio"), ClueText("e", "text")]
    parts = by_modality(np.arange(6.0).reshape(3, 2), gold, told)
    assert {name: part.tolist() for name, part in parts.items()} == {"visual": [[]], "audio": [[2.0]], "text": []}
    assert {name: part.shape for name, part in parts.items()} == {"visual": (1, 0), "audio": (1, 1), "text": (0, 1)}


# The encoder ----------------------------------------------------------------------------------------------------

CLUES = ["his voice is low and trembling", "he speaks quietly and his voice shakes", "she waves at a passing bus"]


def test_embeddings_have_length_1_and_a_text_is_most_like_itself_then_like_its_paraphrase(encoder: Encoder) -> None:
    vectors = encoder.encode(CLUES)
    assert vectors.shape == (3, 384)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    table = encoder.similarities(CLUES, CLUES)
    assert np.diag(table) == pytest.approx(1, abs=1e-5)
    assert table == pytest.approx(table.T)
    assert table[0, 1] > table[0, 2] + 0.2
    assert clue_f1(table, 0.9) == (1, 1, 1)


def test_an_embedding_is_the_same_whatever_else_is_read_and_is_made_once(encoder: Encoder) -> None:
    alone, together = Encoder(), encoder.encode(CLUES)
    assert (alone.encode(CLUES[2:])[0] == together[2]).all()
    assert (encoder.encode(CLUES[::-1]) == together[::-1]).all()
    alone._read = None  # type: ignore[assignment,method-assign]  # nothing is read again
    assert (alone.encode([CLUES[2]] * 2) == together[2]).all()


def test_no_texts_need_no_weights() -> None:
    nothing = Encoder()
    assert nothing.encode([]).shape == (0, 384)
    assert nothing.similarities([], []).shape == (0, 0)


def test_without_torch_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingError, match=r"emowhy\[local\]"):
        Encoder().encode(["he frowns"])
