"""Laws of EmoCause's recall, with worked examples by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.bench.metrics.cause_words import mean_recall, recall_at

words = st.lists(st.sampled_from(["job", "jobs", "lost", "new", "news", "dog", "Dog", "un", " "]), max_size=6)


def test_recall_by_hand() -> None:
    gold = ["lost", "job", "dog"]
    ranked = ["my", "jobless", "hotdog", "lost"]
    # the first hits nothing, the second starts with "job", the third ends with "dog"
    assert [recall_at(gold, ranked, k) for k in (1, 2, 3, 4, 9)] == [(0, 3), (1, 3), (2, 3), (3, 3), (3, 3)]


@pytest.mark.parametrize(
    ("gold", "ranked", "hits"),
    [
        (["job"], ["job", "jobs"], 1),  # one gold word is hit once
        (["job", "job"], ["job"], 1),  # at two places: two predictions
        (["job", "job"], ["job", "jobs"], 2),
        (["new", "news"], ["news"], 1),  # one prediction hits one gold word
        (["ob"], ["jobs"], 0),  # neither start nor end
        (["jobs"], ["job"], 0),  # the prediction holds the gold word, not the other way round
        (["Job"], [" job "], 1),
        (["job", ""], ["dog"], 0),
    ],
)
def test_what_hits(gold: list[str], ranked: list[str], hits: int) -> None:
    assert recall_at(gold, ranked, 5)[0] == hits


@given(words, words, st.integers(1, 5))
def test_hits_grow_with_k_and_never_pass_the_gold_words_nor_k(gold: list[str], ranked: list[str], k: int) -> None:
    (hit, count), (more, _) = recall_at(gold, ranked, k), recall_at(gold, ranked, k + 1)
    assert 0 <= hit <= min(k, count)
    assert hit <= more
    assert count == sum(bool(word.strip()) for word in gold)


@given(words)
def test_naming_the_gold_words_finds_all_where_none_starts_or_ends_with_another(gold: list[str]) -> None:
    apart = [word for word in gold if word not in ("jobs", "news", " ")]
    assert recall_at(apart, apart, len(apart)) == (len(apart), len(apart))


@given(words, words)
def test_within_the_first_k_the_order_of_predictions_does_not_matter(gold: list[str], ranked: list[str]) -> None:
    assert recall_at(gold, ranked[::-1], len(ranked)) == recall_at(gold, ranked, len(ranked))


def test_the_mean_is_over_samples_that_have_gold_words() -> None:
    assert mean_recall([(1, 2), (3, 3), (0, 0)]) == pytest.approx((1 / 2 + 1) / 2)
    assert mean_recall([]) == mean_recall([(0, 0)]) == 0
