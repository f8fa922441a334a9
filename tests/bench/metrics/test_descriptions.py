"""Laws of comparing descriptions by their words, with worked examples by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emowhy.bench.metrics.clue_text import Modality
from emowhy.bench.metrics.descriptions import Scores, content_f1, is_english, modality_completeness, rouge_l

Metric = Callable[..., Scores | None]
both_metrics = pytest.mark.parametrize("metric", [rouge_l, content_f1])
words = st.lists(
    st.sampled_from(["he", "frowns", "frowned", "shouting", "the", "voice", "low", "他"]), min_size=1, max_size=7
)
texts = words.map(" ".join)


def test_rouge_l_by_hand() -> None:
    # he frown and shout | he shout and frown loudli: two words in one order ("he and"), of five and four
    assert rouge_l("He frowns and shouts", "he shouted and frowned loudly") == pytest.approx((2 / 5, 2 / 4, 4 / 9))
    # all three gold words in their order, of four
    assert rouge_l("hands are shaking", "hands are badly shaking") == pytest.approx((3 / 4, 1, 6 / 7))


def test_content_f1_by_hand() -> None:
    # gold: hand shake face pale; predicted: pale face face — "face" is shared once
    gold, told = "His hands shake and his face is pale", "A pale face, a face"
    assert content_f1(gold, told) == pytest.approx((2 / 3, 2 / 4, 4 / 7))
    assert content_f1("He frowned.", "They are frowning") == (1, 1, 1)
    assert content_f1("He was there", "He was there") == (0, 0, 0)  # no word with content


@both_metrics
def test_blank_texts_score_as_for_every_metric(metric: Metric) -> None:
    assert metric("", " \n") == (1, 1, 1)
    assert metric("", "He frowns") == (0, 1, 0)
    assert metric("He frowns", "") == (0, 0, 0)


@both_metrics
def test_other_languages_have_no_figure(metric: Metric) -> None:
    assert metric("他很生气", "他很生气", "zh") is None
    assert metric("", "", "chinese") is None
    assert metric("He frowns", "He frowns", "en-GB") == (1, 1, 1)
    assert metric("他很生气", "他很生气", "en") == (0, 0, 0)  # a wrong tag earns nothing


@pytest.mark.parametrize(
    ("tag", "english"), [("en", True), ("EN_us", True), ("English", True), ("zh", False), ("enm", False), ("", False)]
)
def test_english_is_known_by_its_tags(tag: str, english: bool) -> None:
    assert is_english(tag) == english


@both_metrics
@given(texts, texts)
@settings(deadline=None)
def test_swapping_the_texts_swaps_precision_and_recall(metric: Metric, a: str, b: str) -> None:
    p, r, f = metric(a, b) or (-1, -1, -1)
    assert metric(b, a) == pytest.approx((r, p, f))
    assert all(0 <= value <= 1 for value in (p, r, f))
    assert min(p, r) - 1e-9 <= f <= max(p, r) + 1e-9


@both_metrics
@given(texts)
@settings(deadline=None)
def test_saying_the_gold_is_perfect(metric: Metric, gold: str) -> None:
    assert metric(f"{gold} low", f"{gold} low") == pytest.approx((1, 1, 1))


@given(words, words)
@settings(deadline=None)
def test_content_has_no_order(gold: list[str], told: list[str]) -> None:
    assert content_f1(" ".join(gold[::-1]), " ".join(sorted(told))) == content_f1(" ".join(gold), " ".join(told))


def test_modality_completeness_by_hand() -> None:
    gold: list[Modality | None] = ["visual", "visual", "audio", None, "text"]
    assert modality_completeness(gold, [1, 3]) == pytest.approx(1 / 3)  # visual of visual, audio, text
    assert modality_completeness(gold, [0, 1]) == pytest.approx(1 / 3)  # two clues, one modality
    assert modality_completeness(gold, [0, 2, 4]) == 1
    assert modality_completeness(gold, []) == 0
    assert modality_completeness([None], [0]) is None
    assert modality_completeness([], []) is None
