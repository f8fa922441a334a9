"""Cause spans in dialogue as RECCON scores them (Poria et al. 2020, 2012.11820, section 5; SQuAD 2 answers)."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_ARTICLE = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise_answer(text: str) -> str:
    """Lower case, no punctuation, no articles, single spaces (SQuAD's evaluation)."""
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def exact_match(predicted: str, gold: str) -> float:
    return float(normalise_answer(predicted) == normalise_answer(gold))


def token_f1(predicted: str, gold: str) -> float:
    """F1 of the words as bags; two empty answers agree, one empty answer matches nothing."""
    a, b = normalise_answer(predicted).split(), normalise_answer(gold).split()
    if not a or not b:
        return float(a == b)
    both = sum((Counter(a) & Counter(b)).values())
    return 2 * both / (len(a) + len(b))


@dataclass(frozen=True, slots=True)
class Target:
    """An emotional turn: its number, and the gold spans in each causing turn (a turn with none is no cause).

    As in the published files, only turns up to the target are asked about; a cause after it counts for nothing.
    """

    turn: int
    gold: Mapping[int, Sequence[str]]

    def turns(self) -> range:
        return range(self.turn + 1)


def span_scores(targets: Sequence[Target], predicted: Sequence[Mapping[int, str]]) -> dict[str, float]:
    """`em_pos`, `f1_pos` (means over positives: one for each gold span), `f1_neg` (F1 of the empty answer), `f1`.

    `predicted[i]` maps turns to one span each; a turn that it leaves out is answered empty. A negative is a turn that
    is no cause; in `f1`, the mean over all of them, a negative counts 1 if it is answered empty. 0 where there is none.
    """
    em: list[float] = []
    f1: list[float] = []
    negatives = empty_negatives = empty_positives = 0
    for target, answer in zip(targets, predicted, strict=True):
        for turn in target.turns():
            said = answer.get(turn, "")
            for span in target.gold.get(turn, ()):
                em.append(exact_match(said, span))
                f1.append(token_f1(said, span))
                empty_positives += not said
            if not target.gold.get(turn):
                negatives += 1
                empty_negatives += not said
    return {
        "em_pos": _mean(sum(em), len(em)),
        "f1_pos": _mean(sum(f1), len(f1)),
        "f1_neg": _mean(2 * empty_negatives, empty_negatives + empty_positives + negatives),
        "f1": _mean(sum(f1) + empty_negatives, len(f1) + negatives),
        "positives": float(len(em)),
        "negatives": float(negatives),
    }


def entailment_scores(targets: Sequence[Target], predicted: Sequence[Mapping[int, str]]) -> dict[str, float]:
    """Is this turn a cause? F1 of the pairs (target, turn) that are, of those that are not, and their mean."""
    pairs = Counter(_pairs(targets, predicted))
    right_yes, right_no = pairs[True, True], pairs[False, False]
    wrong = pairs[True, False] + pairs[False, True]
    yes, no = _mean(2 * right_yes, 2 * right_yes + wrong), _mean(2 * right_no, 2 * right_no + wrong)
    return {"turn_f1_pos": yes, "turn_f1_neg": no, "turn_macro": (yes + no) / 2}


def _pairs(targets: Sequence[Target], predicted: Sequence[Mapping[int, str]]) -> Iterator[tuple[bool, bool]]:
    for target, answer in zip(targets, predicted, strict=True):
        for turn in target.turns():
            yield bool(target.gold.get(turn)), bool(answer.get(turn))


def _mean(total: float, count: int) -> float:
    return total / count if count else 0.0
