"""Quotes against gold quotes: character spans, matched one to one by intersection over union."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment


@dataclass(frozen=True, slots=True)
class Span:
    """Code points `start` to `end` (half-open) of one text, which `place` names: a turn or an observation."""

    place: Hashable
    start: int
    end: int


def overlap(a: Span, b: Span) -> float:
    """Intersection over union of two spans, 0 to 1; 0 in different places."""
    if a.place != b.place:
        return 0.0
    both = max(0, min(a.end, b.end) - max(a.start, b.start))
    whole = (a.end - a.start) + (b.end - b.start) - both
    return both / whole if whole else 0.0


def match(predicted: Sequence[Span], gold: Sequence[Span], least: float = 0.0) -> list[float]:
    """The overlaps of the best one-to-one matching, those below `least` left out."""
    if not predicted or not gold:
        return []
    table = np.array([[overlap(a, b) for b in gold] for a in predicted])
    table[table < least] = 0
    rows, columns = linear_sum_assignment(table, maximize=True)
    return [float(found) for found in table[rows, columns] if found > 0]


def span_f(predicted: Sequence[Span], gold: Sequence[Span], least: float | None = 0.5) -> tuple[float, float, float]:
    """Precision, recall and F of one row: matches at `least` overlap count 1 each, or their overlap if it is None.

    Both empty: 1, 1, 1; gold empty: 0, 1, 0; nothing predicted: 0, 0, 0.
    """
    if not gold:
        return (1.0, 1.0, 1.0) if not predicted else (0.0, 1.0, 0.0)
    if not predicted:
        return 0.0, 0.0, 0.0
    found = match(predicted, gold, least or 0.0)
    total = sum(found) if least is None else float(len(found))
    precision, recall = total / len(predicted), total / len(gold)
    return precision, recall, 2 * precision * recall / (precision + recall) if total else 0.0
