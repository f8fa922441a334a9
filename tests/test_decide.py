"""Labels from probabilities alone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.bench.metrics.labels import graded
from emowhy.decide import decide
from emowhy.prompt import Hints, weigh
from emowhy.taxonomy import find_taxonomy
from emowhy.types import Clue

GO = find_taxonomy("goemotions")
SCORES = st.dictionaries(st.sampled_from(GO.labels), st.floats(0.001, 1), min_size=1, max_size=6)


def expected(said: Sequence[str], scores: dict[str, float]) -> float:
    """The mean graded F against one label drawn in proportion to the scores, by the metric itself."""
    return sum(score * graded([label], said)[2] for label, score in scores.items()) / sum(scores.values())


@given(SCORES)
def test_no_set_of_up_to_three_labels_is_expected_to_overlap_more(scores: dict[str, float]) -> None:
    best = max(expected(s, scores) for size in (1, 2, 3) for s in itertools.combinations(scores, size))
    assert expected(decide(scores), scores) == pytest.approx(best)


@given(SCORES)
def test_the_likeliest_comes_first_and_no_label_twice(scores: dict[str, float]) -> None:
    found = decide(scores)
    assert [scores[label] for label in found] == sorted((scores[label] for label in found), reverse=True)
    assert len(set(found)) == len(found)
    assert 1 <= len(found) <= 3


@given(SCORES, st.floats(0.01, 100))
def test_only_the_ratios_of_probabilities_count(scores: dict[str, float], factor: float) -> None:
    scaled = {label: score * factor for label, score in scores.items()}
    assert expected(decide(scaled), scores) == pytest.approx(expected(decide(scores), scores))


def test_a_second_label_is_named_where_the_first_leaves_half_open() -> None:
    # anger alone overlaps .55 on the mean, both .55 * 2/3 + .45 * 2/3 = .667
    assert decide({"anger": 0.55, "joy": 0.45}) == ("anger", "joy")
    # .8 against .667
    assert decide({"anger": 0.8, "joy": 0.2}) == ("anger",)


def test_of_near_labels_one_stands_for_the_others() -> None:
    # sadness and grief are one branch: sadness stands for both (.4 + .75 * .2), and joy for the rest: .95 * 2/3
    assert decide({"sadness": 0.4, "grief": 0.2, "joy": 0.4}) == ("sadness", "joy")


@pytest.mark.parametrize("scores", [{}, {"joy": 0.0}])
def test_without_probabilities_nothing_is_decided(scores: dict[str, float]) -> None:
    assert decide(scores) == ()


def given_labels(*clues: Clue) -> Hints:
    return weigh(clues, GO, "order")


def test_clues_without_probabilities_are_given_as_chosen() -> None:
    told = [Clue("emotion", "x", label, chosen=label != "joy") for label in ("joy", "fear", "anger")]
    assert given_labels(*told).given == ("fear", "anger")
    assert given_labels(told[0]).given == ("joy",)


def test_neutral_is_answered_beside_another_label_but_not_explained() -> None:
    both = given_labels(Clue("emotion", "x", "neutral", score=0.5), Clue("emotion", "x", "anger", score=0.45))
    assert both.given == ("neutral", "anger")
    assert both.felt == ("anger",)
    alone = given_labels(Clue("emotion", "x", "neutral", score=0.9))
    assert alone.felt == alone.given == ("neutral",)
