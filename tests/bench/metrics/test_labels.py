"""Laws of the overlap of label sets, with worked examples by hand."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.bench.metrics.labels import (
    average_s,
    f_s,
    graded,
    group,
    hit_canonical,
    jaccard,
    length_ratio,
    mscore,
    official_set_scores,
    set_scores,
)
from emowhy.errors import UsageError
from emowhy.taxonomy import similarity

# joy: happiness and amusement stand in one secondary, pride in another; "zorbly" stands nowhere
WORDS = ("happiness", "amusement", "pride", "excitement", "anger", "annoyance", "fear", "sadness", "neutral", "zorbly")
Scorer = Callable[[frozenset[str], frozenset[str]], tuple[float, float, float]]
labels = st.frozensets(st.sampled_from(WORDS), max_size=5)
scorers = pytest.mark.parametrize("score", [set_scores, graded], ids=["exact", "graded"])


# Words -> labels


def test_exact_folds_case_and_spaces_and_counts_a_label_once() -> None:
    assert group(["Worn  Out", " worn out ", "ANGRY", "angry", ""], "exact") == {"worn out", "angry"}


def test_canonical_takes_inflection_and_synonyms_away_and_keeps_what_it_does_not_know() -> None:
    assert group(["Happy", "happiness!", "zorbly", "neutral", " "], "canonical") == {"happiness", "zorbly", "neutral"}


def test_given_words_become_the_first_of_their_group_and_the_last_group_wins() -> None:
    groups = [["glad", "Happy"], [], ["merry", "happy", "jolly"], [" ", "sad"]]
    # happy is in both groups; a group may be empty, and a blank cannot lead one
    assert group(["glad", "HAPPY", "jolly", "sad", "tired"], "given", groups) == {"glad", "merry", "sad", "tired"}


def test_groups_do_not_reach_the_other_groupings() -> None:
    assert group(["happy"], "exact", [["glad", "happy"]]) == {"happy"}


def test_an_unknown_grouping_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'canonical'"):
        group(["happy"], "cannonical")  # type: ignore[arg-type]


@given(st.lists(st.sampled_from(["Happy", "happy ", "glad", "zorbly", "Worn  out"])), st.randoms(use_true_random=False))
def test_grouping_ignores_order_and_repetition(words: list[str], random: np.random.Generator) -> None:
    more = words * 2
    random.shuffle(more)
    for how in ("exact", "canonical", "given"):
        assert group(more, how, [["glad", "happy"]]) == group(words, how, [["glad", "happy"]])


# One row


def test_set_scores_by_hand() -> None:
    # one of three predicted labels is gold, and one of two gold labels is found: F = 2·(1/3)·(1/2) / (5/6)
    assert set_scores({"joy", "fear"}, {"joy", "anger", "pride"}) == pytest.approx((1 / 3, 1 / 2, 2 / 5))


@scorers
def test_empty_sets_score_as_the_rule_table_says(score: Scorer) -> None:
    nothing, something = frozenset[str](), frozenset({"joy"})
    assert score(nothing, nothing) == (1, 1, 1)
    assert score(nothing, something) == (0, 1, 0)
    assert score(something, nothing) == (0, 0, 0)


def test_official_scores_give_an_empty_prediction_nothing_and_leave_out_rows_without_gold() -> None:
    assert official_set_scores({"joy", "fear"}, {"joy", "anger", "pride"}) == pytest.approx((1 / 3, 1 / 2))
    assert official_set_scores({"joy"}, set()) == (0, 0)
    assert all(map(math.isnan, (*official_set_scores(set(), {"joy"}), *official_set_scores(set(), set()))))


@given(labels.filter(bool), labels.filter(bool))
def test_official_scores_are_ours_where_neither_set_is_empty(gold: frozenset[str], said: frozenset[str]) -> None:
    assert official_set_scores(gold, said) == set_scores(gold, said)[:2]


def test_graded_by_hand() -> None:
    # happiness–amusement .75 (same secondary) beats happiness–excitement .5 (same primary); fear and anger find nothing
    assert graded(["happy", "fear"], ["amusement", "excitement", "anger"]) == pytest.approx((0.75 / 3, 0.75 / 2, 0.3))
    # fear–fear 1 and pride–happiness .5: 1.5 of 2 and of 3, F = 2·.75·.5 / 1.25
    assert graded(["fear", "happiness", "anger"], ["afraid", "proud"]) == pytest.approx((0.75, 0.5, 0.6))


def test_graded_matches_one_to_one() -> None:
    # three kinds of joy may not all be counted as the one gold joy: .75/3, .75/1
    assert graded(["happiness"], ["amusement", "pride", "excitement"]) == pytest.approx((0.25, 0.75, 0.375))


@given(labels, labels)
def test_graded_finds_the_best_assignment(gold: frozenset[str], said: frozenset[str]) -> None:
    few, many = sorted((sorted(gold), sorted(said)), key=len)
    best = max(
        sum(similarity(a, b) for a, b in zip(few, order, strict=True))
        for order in itertools.permutations(many, len(few))
    )
    if gold and said:
        assert graded(gold, said)[:2] == pytest.approx((best / len(said), best / len(gold)))


@scorers
@given(gold=labels, said=labels)
def test_scores_are_between_0_and_1_and_swap_with_their_sets(
    score: Scorer, gold: frozenset[str], said: frozenset[str]
) -> None:
    precision, recall, f = score(gold, said)
    assert all(0 <= value <= 1 for value in (precision, recall, f))
    assert min(precision, recall) - 1e-12 <= f <= max(precision, recall) + 1e-12
    if gold and said:
        assert score(said, gold) == pytest.approx((recall, precision, f))


@scorers
@given(gold=labels)
def test_gold_scores_1(score: Scorer, gold: frozenset[str]) -> None:
    assert score(gold, gold) == (1, 1, 1)


@given(labels, labels)
def test_graded_is_never_below_exact(gold: frozenset[str], said: frozenset[str]) -> None:
    assert all(a >= b - 1e-12 for a, b in zip(graded(gold, said), set_scores(gold, said), strict=True))


@given(labels, labels, st.sampled_from(WORDS))
def test_a_label_that_is_like_no_gold_label_never_raises_graded_f(
    gold: frozenset[str], said: frozenset[str], more: str
) -> None:
    if all(similarity(more, label) == 0 for label in gold):
        assert graded(gold, said | {more})[2] <= graded(gold, said)[2]


@given(labels, st.lists(st.sampled_from(["happy", "Happiness", "happily", "scared", "afraid", "fear"]), max_size=6))
def test_other_forms_of_a_predicted_word_change_nothing_in_graded(gold: frozenset[str], said: list[str]) -> None:
    once = {"happy" if word.lower().startswith("happ") else "fear" for word in said}
    assert graded(gold, said) == graded(gold, once)


def test_jaccard_by_hand() -> None:
    assert jaccard({"joy", "fear"}, {"joy", "anger", "pride"}) == pytest.approx(1 / 4)
    assert (jaccard(set(), set()), jaccard(set(), {"joy"}), jaccard({"joy"}, set())) == (1, 0, 0)


@given(labels, labels)
def test_jaccard_is_symmetric_and_follows_from_f(gold: frozenset[str], said: frozenset[str]) -> None:
    f = set_scores(gold, said)[2]
    assert jaccard(gold, said) == jaccard(said, gold) == pytest.approx(f / (2 - f))


def test_hit_is_asked_of_the_canonical_forms() -> None:
    assert hit_canonical("Happy", ["fear", "happiness"]) == 1
    assert hit_canonical("amusement", ["happiness"]) == 0  # near is no hit
    assert hit_canonical("neutral", ["neutral"]) == 1  # nothing is left out
    assert hit_canonical("neutral", []) == 0


def test_mscore_by_hand() -> None:
    candidates = {"joy", "fear", "anger"}
    assert mscore("joy", {"joy", "fear", "zeal"}, candidates) == 1 / 2  # zeal is no candidate
    assert mscore("anger", {"joy", "fear"}, candidates) == 0
    assert mscore("joy", {"zeal"}, candidates) == mscore("joy", set(), candidates) == 0


def test_length_ratio_by_hand_and_not_defined_without_gold() -> None:
    assert length_ratio({"joy", "fear"}, {"joy", "anger", "pride"}) == 1.5
    assert length_ratio({"joy"}, set()) == 0
    assert math.isnan(length_ratio(set(), {"joy"}))


# All rows


def test_averages_over_rows_by_hand() -> None:
    # rows (1, 1/2) and (0, 0): P_S 1/2, R_S 1/4
    assert average_s(1 / 2, 1 / 4) == 3 / 8
    assert f_s(1 / 2, 1 / 4) == pytest.approx(1 / 3)
    assert f_s(0.0, 0.0) == 0


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8))
def test_averages_take_arrays_of_replicates_and_sums_for_means(pairs: list[tuple[float, float]]) -> None:
    p, r = np.array(pairs).T
    assert f_s(p, r) == pytest.approx([f_s(a, b) for a, b in pairs])
    assert average_s(p, r) == pytest.approx([average_s(a, b) for a, b in pairs])
    assert f_s(float(p.sum()), float(r.sum())) / len(p) == pytest.approx(f_s(float(p.mean()), float(r.mean())))
