"""Emotion-cause pairs with spans, as SemEval-2024 Task 3, subtask 1 scores them (Wang et al. 2024, 2405.13049).

A pair is an emotional turn, its emotion, a causing turn and a span of that turn's whitespace tokens. Statistics are
counts: add them up over conversations (or targets), then turn the sums into figures.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
Counts = npt.NDArray[np.number]
Variant = Literal["script", "formula"]

EMOTIONS = ("anger", "disgust", "fear", "joy", "sadness", "surprise")
"""The rows of the statistics; one more row follows them, for pairs with any other label but neutral."""

COLUMNS = ("correct", "predicted", "gold", "overlap", "predicted_tokens", "gold_tokens", "script_gold_tokens")
"""The columns of the statistics: pairs, then tokens."""

_ROWS = len(EMOTIONS) + 1
_PUNCTUATION = frozenset(string.punctuation)


@dataclass(frozen=True, slots=True)
class Pair:
    """Tokens `start` to `end` (half-open) of turn `cause` are said to cause the `emotion` of turn `turn`."""

    turn: int
    emotion: str
    cause: int
    start: int
    end: int

    @property
    def length(self) -> int:
        """How many tokens the span has."""
        return max(0, self.end - self.start)


@dataclass(frozen=True, slots=True)
class PairScores:
    """Figures of 0 to 1: by emotion, shape (..., 6) each, and `weighted` and `micro` P, R, F1: (..., 3)."""

    precision: Array
    recall: Array
    f1: Array
    weighted: Array
    micro: Array


def token_span(text: str, start: int, end: int) -> tuple[int, int]:
    """The smallest run of whitespace tokens (half-open) that covers the characters `start` to `end` of the text.

    Characters that touch no token give an empty run, at the token that would come next.
    """
    tokens = [match.span() for match in re.finditer(r"\S+", text)]
    first = sum(last <= start for _, last in tokens)
    return first, max(first, sum(begin < end for begin, _ in tokens)) if start < end else first


def strip_punctuation(text: str, start: int, end: int) -> tuple[int, int]:
    """A gold span of tokens without the tokens of ASCII punctuation only at its ends; kept if there is nothing else.

    The script strips characters before it looks for the tokens, so that a span that ends within a token ("home!") is
    nowhere found and can never be matched. Here such a token stays whole.
    """
    words = [k for k, token in enumerate(text.split()[start:end], start) if not _PUNCTUATION.issuperset(token)]
    return (words[0], words[-1] + 1) if words else (start, end)


def pair_statistics(gold: Iterable[Pair], predicted: Iterable[Pair]) -> Counts:
    """Counts of one conversation, or of one target in it: shape (7, 7), rows `EMOTIONS` and one more, `COLUMNS`.

    Pairs that stand twice count once; neutral ones count for nothing, as in the script. A label off the list is wrong
    in the last row, which only the micro figures read.

    A predicted pair overlaps the gold pair of the same turns and emotion of which it covers the greatest share (of
    equal ones the longer overlap, then the earlier in `gold`). `script_gold_tokens` is what the published script
    divides by: the length of a gold span once for every prediction that overlaps it (once if none does).
    """
    answers, claims = _once(gold), _once(predicted)
    found = np.zeros((_ROWS, len(COLUMNS)), dtype=np.int64)
    matches = dict.fromkeys(answers, 0)
    for claim in claims:
        best, overlap = _best(claim, answers)
        if best is not None:
            matches[best] += 1
        found[_row(claim)] += (claim in matches, 1, 0, overlap, claim.length, 0, 0)
    for pair, times in matches.items():
        found[_row(pair)] += (0, 0, 1, 0, 0, pair.length, pair.length * max(1, times))
    return found


def strict_scores(sums: Counts) -> PairScores:
    """Figures over pairs that are right in every part, from summed statistics of shape (..., 7, 7)."""
    return _scores(sums, "correct", "predicted", "gold")


def proportional_scores(sums: Counts, variant: Variant = "script") -> PairScores:
    """Figures over tokens, from summed statistics of shape (..., 7, 7): P = overlap / predicted, R = overlap / gold.

    `script` counts a gold span again for each prediction that overlaps it, as the published script does; `formula`
    counts it once, as the task's description does. There predictions that share tokens earn them each, so that its
    recall could pass 1; it is capped.
    """
    return _scores(sums, "overlap", "predicted_tokens", "gold_tokens" if variant == "formula" else "script_gold_tokens")


def _once(pairs: Iterable[Pair]) -> list[Pair]:
    return [pair for pair in dict.fromkeys(pairs) if pair.emotion != "neutral"]


def _row(pair: Pair) -> int:
    return EMOTIONS.index(pair.emotion) if pair.emotion in EMOTIONS else _ROWS - 1


def _best(claim: Pair, answers: Sequence[Pair]) -> tuple[Pair | None, int]:
    """The gold pair that a prediction is measured against, and by how many tokens they overlap."""
    best, score = None, (0.0, 0)
    for gold in answers:
        if (gold.turn, gold.emotion, gold.cause) == (claim.turn, claim.emotion, claim.cause):
            overlap = min(claim.end, gold.end) - max(claim.start, gold.start)
            if overlap > 0 and (overlap / gold.length, overlap) > score:
                best, score = gold, (overlap / gold.length, overlap)
    return best, score[1]


def _scores(sums: Counts, right: str, predicted: str, gold: str) -> PairScores:
    column = {name: sums[..., k] for k, name in enumerate(COLUMNS)}
    single = _figures(*(column[name][..., : len(EMOTIONS)] for name in (right, predicted, gold)))
    share = column["gold"][..., : len(EMOTIONS)]
    weight = _divide(share, share.sum(-1, keepdims=True))
    micro = _figures(*(column[name].sum(-1) for name in (right, predicted, gold)))
    return PairScores(*single, np.stack([(f * weight).sum(-1) for f in single], -1), np.stack(micro, -1))


def _figures(right: Counts, predicted: Counts, gold: Counts) -> tuple[Array, Array, Array]:
    """Precision, recall (at most 1) and F1; 0 where there is nothing to divide by."""
    precision, recall = _divide(right, predicted), np.minimum(1, _divide(right, gold))
    return precision, recall, _divide(2 * precision * recall, precision + recall)


def _divide(a: npt.NDArray[np.number], b: npt.NDArray[np.number]) -> Array:
    found: Array = np.divide(a, b, out=np.zeros(np.broadcast(a, b).shape), where=b > 0)
    return found
