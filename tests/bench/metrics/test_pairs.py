"""Laws of the emotion-cause pairs of SemEval-2024 Task 3, with worked examples by hand."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.bench.metrics.pairs import (
    COLUMNS,
    EMOTIONS,
    Pair,
    PairScores,
    Variant,
    pair_statistics,
    proportional_scores,
    strict_scores,
    strip_punctuation,
    token_span,
)

JOY, ANGER = EMOTIONS.index("joy"), EMOTIONS.index("anger")
GOLD = [Pair(3, "joy", 2, 0, 4), Pair(3, "joy", 3, 1, 3), Pair(5, "anger", 5, 0, 5)]
TOLD = [
    Pair(3, "joy", 2, 0, 4),  # right: 4 of 4 tokens
    Pair(3, "joy", 2, 0, 2),  # half of the same gold span
    Pair(5, "anger", 5, 2, 8),  # 3 of 6 tokens are in the gold span of 5
    Pair(5, "joy", 5, 0, 5),  # another emotion
]

SCRIPT = frozenset({"script_gold_tokens"})
texts = st.text(alphabet="ab .!?\t\n ", max_size=24)


@st.composite
def pairs(draw: st.DrawFn) -> list[Pair]:
    """Pairs of few turns and emotions, so that they meet; some with a label off the list, some neutral."""
    labels = st.sampled_from(["joy", "anger", "fear", "rage", "neutral"])
    found = []
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, 5))
        length = draw(st.integers(1, 5))
        found.append(Pair(draw(st.integers(0, 1)), draw(labels), draw(st.integers(0, 1)), start, start + length))
    return found


def figures(scores: PairScores) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.concatenate([scores.precision, scores.recall, scores.f1, scores.weighted, scores.micro])


def f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall)


@pytest.mark.parametrize(
    ("start", "end", "run"),
    [
        (0, 1, (0, 1)),  # "I"
        (2, 9, (1, 3)),  # "won the"
        (3, 4, (1, 2)),  # "o" within "won"
        (4, 11, (1, 4)),  # "n the r": from within one token to within another
        (1, 2, (1, 1)),  # a blank touches no token
        (3, 3, (1, 1)),  # no characters
        (0, 16, (0, 5)),
    ],
)
def test_a_quote_becomes_the_smallest_run_of_tokens_that_covers_it(start: int, end: int, run: tuple[int, int]) -> None:
    assert token_span("I won the race !", start, end) == run


@given(texts, st.data())
def test_a_run_holds_just_the_tokens_that_the_characters_touch(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    tokens = [match.span() for match in re.finditer(r"\S+", text)]
    assert len(tokens) == len(text.split())
    first, last = token_span(text, start, end)
    assert 0 <= first <= last <= len(tokens)
    touched = [k for k, (a, b) in enumerate(tokens) if max(a, start) < min(b, end)]
    assert touched == list(range(first, last))


def test_gold_spans_lose_punctuation_tokens_at_their_ends_only() -> None:
    text = '" Oh , I won ... it ! "'  # tokens: " Oh , I won ... it ! "
    assert strip_punctuation(text, 0, 9) == (1, 7)
    assert strip_punctuation(text, 2, 6) == (3, 5)
    assert strip_punctuation(text, 3, 5) == (3, 5)
    assert strip_punctuation(text, 7, 9) == (7, 9)  # nothing else: kept
    assert strip_punctuation("I won!", 0, 2) == (0, 2)  # no token of its own


def test_statistics_by_hand() -> None:
    joy, anger = pair_statistics(GOLD, TOLD)[[JOY, ANGER]]
    # joy: of 3 predictions 1 right, of 2 gold; overlaps 4 + 2 + 0 of 4 + 2 + 5 predicted tokens; gold tokens 4 + 2,
    # in the script 4 + 4 (the first span is met twice) + 2
    assert dict(zip(COLUMNS, joy.tolist(), strict=True)) == {
        "correct": 1, "predicted": 3, "gold": 2, "overlap": 6, "predicted_tokens": 11, "gold_tokens": 6,
        "script_gold_tokens": 10,
    }  # fmt: skip
    assert anger.tolist() == [0, 1, 1, 3, 6, 5, 5]


def test_strict_figures_by_hand() -> None:
    found = strict_scores(pair_statistics(GOLD, TOLD))
    assert (found.precision[JOY], found.recall[JOY]) == pytest.approx((1 / 3, 1 / 2))
    assert found.f1[[JOY, ANGER]] == pytest.approx([f1(1 / 3, 1 / 2), 0])
    # two of three gold pairs are joy
    assert found.weighted == pytest.approx([2 / 3 * 1 / 3, 2 / 3 * 1 / 2, 2 / 3 * f1(1 / 3, 1 / 2)])
    assert found.micro == pytest.approx([1 / 4, 1 / 3, f1(1 / 4, 1 / 3)])


@pytest.mark.parametrize(("variant", "recall", "whole"), [("script", 6 / 10, 9 / 15), ("formula", 6 / 6, 9 / 11)])
def test_proportional_figures_by_hand(variant: Variant, recall: float, whole: float) -> None:
    found = proportional_scores(pair_statistics(GOLD, TOLD), variant)
    assert found.recall[[JOY, ANGER]] == pytest.approx([recall, 3 / 5])
    joy, anger = f1(6 / 11, recall), f1(3 / 6, 3 / 5)
    assert found.f1[[JOY, ANGER]] == pytest.approx([joy, anger])
    assert found.weighted[2] == pytest.approx(2 / 3 * joy + 1 / 3 * anger)
    assert found.micro == pytest.approx([9 / 17, whole, f1(9 / 17, whole)])


def test_a_prediction_is_measured_against_the_gold_span_of_which_it_covers_most() -> None:
    gold = [Pair(0, "joy", 0, 0, 6), Pair(0, "joy", 0, 4, 6)]
    # tokens 3 to 6: 3 of the 6 of the first span, 2 of the 2 of the second
    assert pair_statistics(gold, [Pair(0, "joy", 0, 3, 6)])[JOY].tolist() == [0, 1, 2, 2, 3, 8, 8]
    # all of both: the longer overlap
    assert pair_statistics(gold, [Pair(0, "joy", 0, 0, 6)])[JOY].tolist() == [1, 1, 2, 6, 6, 8, 8]


@pytest.mark.parametrize("part", [{"turn": 4}, {"emotion": "fear"}, {"cause": 9}])
def test_spans_of_other_turns_or_emotions_never_overlap(part: dict[str, int | str]) -> None:
    other = Pair(**{"turn": 3, "emotion": "joy", "cause": 2, "start": 0, "end": 4, **part})  # type: ignore[arg-type]
    found = pair_statistics([Pair(3, "joy", 2, 0, 4)], [other]).sum(0)
    assert found.tolist() == [0, 1, 1, 0, 4, 4, 4]


def test_neutral_pairs_count_for_nothing_and_labels_off_the_list_lower_the_micro_precision_only() -> None:
    plain = pair_statistics(GOLD, TOLD)
    assert (pair_statistics([*GOLD, Pair(1, "neutral", 1, 0, 3)], [*TOLD, Pair(1, "neutral", 1, 0, 3)]) == plain).all()
    off = strict_scores(pair_statistics(GOLD, [*TOLD, Pair(3, "bliss", 2, 0, 4)]))
    assert off.weighted.tolist() == strict_scores(plain).weighted.tolist()
    assert off.micro[0] == pytest.approx(1 / 5)


def test_the_recall_of_the_formula_is_capped_where_predictions_share_tokens() -> None:
    gold, told = [Pair(0, "joy", 0, 0, 4)], [Pair(0, "joy", 0, 0, 4), Pair(0, "joy", 0, 0, 3)]
    sums = pair_statistics(gold, told)  # 4 + 3 tokens of 4
    assert proportional_scores(sums, "formula").recall[JOY] == 1
    assert proportional_scores(sums, "script").recall[JOY] == pytest.approx(7 / 8)


@given(pairs(), pairs())
def test_figures_are_between_0_and_1(gold: list[Pair], told: list[Pair]) -> None:
    sums = pair_statistics(gold, told)
    for found in (strict_scores(sums), proportional_scores(sums), proportional_scores(sums, "formula")):
        assert (figures(found) >= 0).all()
        assert (figures(found) <= 1 + 1e-9).all()


@given(pairs())
def test_saying_exactly_the_gold_is_perfect(gold: list[Pair]) -> None:
    sums = pair_statistics(gold, gold)
    known = any(pair.emotion in EMOTIONS for pair in gold)
    for found in (strict_scores(sums), proportional_scores(sums), proportional_scores(sums, "formula")):
        assert found.weighted == pytest.approx(float(known))
        assert found.micro == pytest.approx(float(any(pair.emotion != "neutral" for pair in gold)))


@given(pairs(), pairs())
def test_neither_order_nor_repetition_matters_but_to_the_count_of_the_script(
    gold: list[Pair], told: list[Pair]
) -> None:
    plain = pair_statistics(gold, told)
    assert (pair_statistics([*gold, *gold], [*reversed(told), *told]) == plain).all()
    kept = [name not in SCRIPT for name in COLUMNS]  # which of two equally good golds is met twice is theirs to order
    assert (pair_statistics(gold[::-1], told)[:, kept] == plain[:, kept]).all()


@given(pairs(), pairs())
def test_a_conversation_is_the_sum_of_its_targets(gold: list[Pair], told: list[Pair]) -> None:
    whole = pair_statistics(gold, told)
    by_target = [
        pair_statistics([p for p in gold if p.turn == turn], [p for p in told if p.turn == turn]) for turn in (0, 1)
    ]
    assert (np.sum(by_target, axis=0) == whole).all()


@given(pairs(), pairs())
def test_exact_matches_are_symmetric(gold: list[Pair], told: list[Pair]) -> None:
    one, other = strict_scores(pair_statistics(gold, told)), strict_scores(pair_statistics(told, gold))
    assert one.f1 == pytest.approx(other.f1)
    assert one.precision == pytest.approx(other.recall)


@given(st.lists(st.tuples(pairs(), pairs()), min_size=1, max_size=3))
def test_many_sums_at_once_give_the_figures_of_each(rows: list[tuple[list[Pair], list[Pair]]]) -> None:
    sums = np.stack([pair_statistics(gold, told) for gold, told in rows]).astype(float)
    together = proportional_scores(sums, "formula")
    for k, single in enumerate(sums):
        assert together.weighted[k] == pytest.approx(proportional_scores(single, "formula").weighted)
        assert together.f1[k] == pytest.approx(proportional_scores(single, "formula").f1)
