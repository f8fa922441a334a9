"""Laws of matching quotes by their characters, with worked examples by hand."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emowhy.bench.metrics.spans import Span, match, overlap, span_f


@st.composite
def spans(draw: st.DrawFn, most: int = 4) -> list[Span]:
    """Spans in two places; they may overlap or be empty."""
    found = []
    for _ in range(draw(st.integers(0, most))):
        start = draw(st.integers(0, 12))
        found.append(Span(draw(st.sampled_from(["turn 0", "face"])), start, start + draw(st.integers(0, 8))))
    return found


def best_sum(predicted: list[Span], gold: list[Span]) -> float:
    """By trying every one-to-one matching."""
    few, many = sorted((predicted, gold), key=len)
    return max(
        sum(overlap(a, b) for a, b in zip(few, some, strict=True)) for some in itertools.permutations(many, len(few))
    )


def test_overlap_by_hand() -> None:
    # 4 to 6 shared of 0 to 10
    assert overlap(Span(0, 0, 6), Span(0, 4, 10)) == pytest.approx(2 / 10)
    assert overlap(Span(0, 2, 4), Span(0, 0, 8)) == pytest.approx(2 / 8)
    assert overlap(Span(0, 0, 4), Span(0, 4, 8)) == 0  # half-open: they only touch
    assert overlap(Span(0, 0, 4), Span(1, 0, 4)) == 0
    assert overlap(Span(0, 3, 3), Span(0, 3, 3)) == 0


@given(spans(), spans())
def test_overlap_is_symmetric_between_0_and_1_and_1_only_for_the_same_words(a: list[Span], b: list[Span]) -> None:
    for one, two in itertools.product(a, b):
        assert overlap(one, two) == overlap(two, one)
        assert 0 <= overlap(one, two) <= 1
        assert (overlap(one, two) == 1) == (one == two and one.start < one.end)


@given(spans(), spans())
@settings(deadline=None)
def test_the_matching_is_one_to_one_and_the_best_of_all(predicted: list[Span], gold: list[Span]) -> None:
    found = match(predicted, gold)
    assert len(found) <= min(len(predicted), len(gold))
    assert sum(found) == pytest.approx(best_sum(predicted, gold))
    assert match(predicted, gold, 0.5) == [] or min(match(predicted, gold, 0.5)) >= 0.5


def test_one_gold_is_matched_once() -> None:
    gold = [Span(0, 0, 10)]
    told = [Span(0, 0, 10), Span(0, 0, 9), Span(0, 1, 10)]
    assert match(told, gold) == [1.0]
    assert span_f(told, gold) == pytest.approx((1 / 3, 1, 2 * (1 / 3) / (4 / 3)))


def test_span_f_by_hand() -> None:
    gold = [Span(0, 0, 10), Span(1, 0, 4)]
    told = [Span(0, 0, 6), Span(1, 3, 6), Span("face", 0, 5)]
    # overlaps 6/10 and 1/6; only the first is .5 or more
    assert span_f(told, gold) == pytest.approx((1 / 3, 1 / 2, 2 / 5))
    both = 6 / 10 + 1 / 6
    precision, recall = both / 3, both / 2
    assert span_f(told, gold, None) == pytest.approx((precision, recall, 2 * precision * recall / (precision + recall)))
    assert span_f(told, gold, 0.7) == (0, 0, 0)
    assert span_f([Span(0, 0, 5)], [Span(0, 0, 10)]) == (1, 1, 1)  # half is enough


@pytest.mark.parametrize("least", [0.5, None])
def test_empty_answers_and_empty_gold_score_as_for_every_metric_of_sets(least: float | None) -> None:
    some = [Span(0, 0, 3)]
    assert span_f([], [], least) == (1, 1, 1)
    assert span_f(some, [], least) == (0, 1, 0)
    assert span_f([], some, least) == (0, 0, 0)
    assert span_f([Span(1, 0, 3)], some, least) == (0, 0, 0)


@given(spans(), spans(), st.sampled_from([0.3, 0.5, 0.9, None]))
@settings(deadline=None)
def test_figures_are_between_0_and_1_and_swapping_both_sides_swaps_precision_and_recall(
    predicted: list[Span], gold: list[Span], least: float | None
) -> None:
    p, r, f = span_f(predicted, gold, least)
    assert all(0 <= value <= 1 for value in (p, r, f))
    if predicted and gold:
        assert span_f(gold, predicted, least) == pytest.approx((r, p, f))
        assert min(p, r) - 1e-9 <= f <= max(p, r) + 1e-9


@given(spans(), spans())
@settings(deadline=None)
def test_a_further_quote_elsewhere_never_raises_f(predicted: list[Span], gold: list[Span]) -> None:
    if gold:
        assert span_f([*predicted, Span("elsewhere", 0, 5)], gold)[2] <= span_f(predicted, gold)[2] + 1e-9


@given(spans())
def test_saying_exactly_the_gold_is_perfect(gold: list[Span]) -> None:
    real = [span for span in gold if span.start < span.end]
    assert span_f(real, real) == span_f(real, real, None) == (1, 1, 1)
