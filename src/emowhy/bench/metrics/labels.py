"""Sets of emotion words against sets of emotion words: one row in, its numbers out.

The rule for empty sets (METRICS.md, "Missing, empty, undefined") is one table; the *official* functions follow what was
published instead. Rows without an answer are not empty sets and never come here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from emowhy.errors import UsageError, nearest
from emowhy.taxonomy import normalise, similarity

Grouping = Literal["exact", "canonical", "given"]
Numbers = TypeVar("Numbers", float, npt.NDArray[np.floating])

_WHERE_ONE_IS_EMPTY = {  # has gold, has predicted -> precision, recall, F
    (False, False): (1.0, 1.0, 1.0),
    (False, True): (0.0, 1.0, 0.0),
    (True, False): (0.0, 0.0, 0.0),
}


# Words -> labels ------------------------------------------------------------------------------------------------


def group(words: Iterable[str], how: Grouping, groups: Sequence[Sequence[str]] = ()) -> frozenset[str]:
    """The labels that words stand for; words of one label count once, blank ones not at all.

    `exact`: casefolded, stripped, single inner spaces. `canonical`: `emowhy.taxonomy.normalise` (an unknown word stays
    itself). `given` (MER2024): a word of `groups` becomes the first member of its group, the last group that has it
    winning; a word in none stays itself. `groups` is only read for `given`.

    Raises:
        UsageError: an unknown grouping.
    """
    if how not in _GROUPINGS:
        raise UsageError(f"unknown grouping {how!r}", nearest(how, _GROUPINGS))
    label = _GROUPINGS[how](groups)
    return frozenset(label(word) for word in words) - {""}


def _exact(word: str) -> str:
    return " ".join(word.casefold().split())


def _first_members(groups: Sequence[Sequence[str]]) -> Callable[[str], str]:
    first: dict[str, str] = {}
    for members in groups:
        known = [name for member in members if (name := _exact(member))]
        first.update(dict.fromkeys(known, known[0]) if known else {})
    return lambda word: first.get(_exact(word), _exact(word))


_GROUPINGS: Mapping[str, Callable[[Sequence[Sequence[str]]], Callable[[str], str]]] = {
    "exact": lambda _groups: _exact,
    "canonical": lambda _groups: normalise,
    "given": _first_members,
}


# One row --------------------------------------------------------------------------------------------------------


def set_scores(gold: AbstractSet[str], predicted: AbstractSet[str]) -> tuple[float, float, float]:
    """Precision |Y∩Ŷ|/|Ŷ|, recall |Y∩Ŷ|/|Y| and their F, each 0 to 1.

    Both empty: 1, 1, 1; gold empty: 0, 1, 0; nothing predicted: 0, 0, 0.
    """
    return _scores(float(len(gold & predicted)), gold, predicted)


def official_set_scores(gold: AbstractSet[str], predicted: AbstractSet[str]) -> tuple[float, float]:
    """Precision and recall as OV-MER (2410.01495) and MER2024 publish them: an empty prediction has 0, 0.

    A row without gold is left out there: nan, nan.
    """
    if not gold:
        return math.nan, math.nan
    both = len(gold & predicted)
    return both / max(len(predicted), 1), both / len(gold)


def graded(gold: Iterable[str], predicted: Iterable[str]) -> tuple[float, float, float]:
    """Precision Σs/|Ŷ|, recall Σs/|Y| and their F, where near labels count in part; each 0 to 1.

    s is `emowhy.taxonomy.similarity` (1 the same label, .75 same secondary, .5 same primary branch, else 0) over the
    pairs of the best one-to-one assignment (Kuhn 1955) of the canonical sets. Empty sets as in `set_scores`.
    """
    wanted, said = group(gold, "canonical"), group(predicted, "canonical")
    return _scores(_best_total(wanted, said), wanted, said)


def jaccard(gold: AbstractSet[str], predicted: AbstractSet[str]) -> float:
    """|Y∩Ŷ|/|Y∪Ŷ|, 0 to 1; two empty sets agree."""
    return len(gold & predicted) / len(gold | predicted) if gold or predicted else 1.0


def hit_canonical(gold: str, predicted: Iterable[str]) -> float:
    """1 if the one gold label is among the predicted ones in canonical form, else 0; no row is left out."""
    return float(normalise(gold) in group(predicted, "canonical"))


def mscore(gold: str, predicted: AbstractSet[str], candidates: AbstractSet[str]) -> float:
    """|Ŷ∩{y}|/|Ŷ∩C|, C the candidate labels (MER-UniBench): 0 to 1; 0 where no candidate is predicted.

    All in one grouping, the gold label among the candidates.
    """
    named = predicted & candidates
    return float(gold in named) / max(len(named), 1)


def length_ratio(gold: AbstractSet[str], predicted: AbstractSet[str]) -> float:
    """|Ŷ|/|Y|, how many labels are predicted for each gold label; nan (not defined) without gold."""
    return len(predicted) / len(gold) if gold else math.nan


# All rows -------------------------------------------------------------------------------------------------------


def average_s(precision: Numbers, recall: Numbers) -> Numbers:
    """(P_S + R_S)/2 of precision and recall averaged over rows (MER2024), as numbers or arrays of them.

    As in `f_s`, sums over rows may stand for averages: the result is then a sum too.
    """
    return (precision + recall) / 2


def f_s(precision: Numbers, recall: Numbers) -> Numbers:
    """2·P_S·R_S/(P_S + R_S) of precision and recall averaged over rows (not the mean of their F); 0 if both are 0."""
    total = precision + recall
    found: Numbers = 2 * precision * recall / (total + (total == 0))
    return found


def _scores(total: float, gold: AbstractSet[str], predicted: AbstractSet[str]) -> tuple[float, float, float]:
    if not gold or not predicted:
        return _WHERE_ONE_IS_EMPTY[bool(gold), bool(predicted)]
    precision, recall = total / len(predicted), total / len(gold)
    return precision, recall, f_s(precision, recall)


_near = lru_cache(maxsize=1 << 18)(similarity)  # a task has few distinct labels: most pairs come again


def _best_total(gold: frozenset[str], predicted: frozenset[str]) -> float:
    """The largest sum of similarities that a one-to-one assignment reaches."""
    if not gold or not predicted or gold == predicted:
        return float(min(len(gold), len(predicted)))
    if len(gold) == 1 or len(predicted) == 1:
        return max(_near(a, b) for a in gold for b in predicted)
    table = np.array([[_near(a, b) for b in predicted] for a in gold])
    return float(table[linear_sum_assignment(table, maximize=True)].sum())
