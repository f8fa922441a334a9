"""A predicted description against the gold one, by its words. English only: for other languages there is no figure.

Scores are (precision, recall, F) of one row, 0 to 1: both texts blank 1, 1, 1; gold blank 0, 1, 0; prediction blank 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from emowhy.bench.metrics.clue_text import Modality
from emowhy.bench.metrics.clue_words import content_words

Scores = tuple[float, float, float]


def is_english(language: str) -> bool:
    """Whether a language tag ("en", "en-GB") or name says English."""
    return language.strip().casefold().replace("_", "-").split("-")[0] in {"en", "eng", "english"}


def rouge_l(gold: str, predicted: str, language: str = "en") -> Scores | None:
    """ROUGE-L on stems: the longest common subsequence over either length (Lin 2004, section 3.1; beta 1).

    None for another language than English: the tokens of rouge-score are a to z and 0 to 9. Its time grows with the
    product of both lengths.
    """
    if not is_english(language):
        return None
    if not gold.strip() or not predicted.strip():
        return _blank(gold, predicted)
    score = _rouge().score(gold, predicted)["rougeL"]
    return float(score.precision), float(score.recall), float(score.fmeasure)


def content_f1(gold: str, predicted: str, language: str = "en") -> Scores | None:
    """Overlap of the stemmed words with content as bags, so that a word said twice counts twice; None if not English.

    A text of stop words only shares nothing with any other.
    """
    if not is_english(language):
        return None
    if not gold.strip() or not predicted.strip():
        return _blank(gold, predicted)
    a, b = Counter(content_words(gold)), Counter(content_words(predicted))
    both = (a & b).total()
    if not both:
        return 0.0, 0.0, 0.0
    return both / b.total(), both / a.total(), 2 * both / (a.total() + b.total())


def modality_completeness(gold: Sequence[Modality | None], matched: Iterable[int]) -> float | None:
    """The share of the modalities of the gold clues of which at least one clue is matched, 0 to 1.

    `gold` has the modality of each gold clue, `matched` the numbers of those that are matched (`match_clues`). None
    where no gold clue has a modality.
    """
    asked = {modality for modality in gold if modality}
    told = {gold[k] for k in matched} & asked
    return len(told) / len(asked) if asked else None


def _blank(gold: str, predicted: str) -> Scores:
    if gold.strip():
        return 0.0, 0.0, 0.0
    return (0.0, 1.0, 0.0) if predicted.strip() else (1.0, 1.0, 1.0)


@cache
def _rouge() -> Any:
    from rouge_score.rouge_scorer import RougeScorer  # brings nltk, which is slow to import

    return RougeScorer(["rougeL"], use_stemmer=True)
