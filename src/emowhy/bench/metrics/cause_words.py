"""Emotion cause words in ranked order, as EmoCause scores them (Kim et al. 2021, 2109.08828, section 5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence


def recall_at(gold_words: Sequence[str], ranked_words: Sequence[str], k: int) -> tuple[int, int]:
    """How many gold words the first `k` predicted words hit, and how many gold words there are.

    A prediction hits the gold word that it starts or ends with (the annotation and a system may cut words
    differently). As in the published evaluation it hits one gold word at most, a gold word is hit once, and a word that
    is annotated at two places asks for two predictions. Case and outer blanks do not count; blank words are left out.
    """
    gold, top = _plain(gold_words), _plain(ranked_words)[:k]
    for word in gold:  # in this order: a prediction that has become one gold word may become a shorter one
        top = [word if said.startswith(word) or said.endswith(word) else said for said in top]
    return sum((Counter(gold) & Counter(top)).values()), len(gold)


def mean_recall(rows: Iterable[tuple[int, int]]) -> float:
    """The mean over samples of hit / gold words; a sample without gold words is left out, and without any it is 0."""
    shares = [hit / gold for hit, gold in rows if gold]
    return sum(shares) / len(shares) if shares else 0.0


def _plain(words: Iterable[str]) -> list[str]:
    return [plain for word in words if (plain := word.strip().casefold())]
