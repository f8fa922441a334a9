"""What a task asks for instead of emotions: a choice, an intensity, ratings."""

from __future__ import annotations

from typing import Any

import numpy as np

from emowhy.bench.measure import Array, Measure, ratio
from emowhy.bench.scorers.base import Case, Scorer
from emowhy.schema import ANSWERS

_NUMBERS = tuple(name for name in ANSWERS if name != "choice")


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else np.nan


class Choice(Scorer):
    """Multiple choice: accuracy over questions and, where several belong to one item (`extra["item"]`), over items
    all of whose questions are right (EmoBench 2402.12071, EU)."""

    title = "multiple choice"
    perfect = ("choice_accuracy", "item_accuracy")
    right = "choice_accuracy"

    def applies(self, case: Case) -> str | None:
        return None if any("choice" in gold.answers for gold in case.golds()) else "no row has a right choice"

    def measure(self, case: Case) -> Measure:
        gold = np.array([_number(g.answers.get("choice")) for g in case.golds()])
        said = np.array([_number(a.answers.get("choice")) if a is not None else np.nan for a in case.answers])
        known, right = np.isfinite(gold), (gold == said).astype(float)
        items: dict[Any, list[int]] = {}
        for row in np.flatnonzero(known):
            items.setdefault(case.samples[row].extra.get("item", ("row", int(row))), []).append(int(row))
        table = np.zeros((len(gold), 4))  # right, rows; items all right, items (both told by an item's first row)
        table[:, 0], table[:, 1] = right * known, known
        for rows in items.values():
            table[rows[0], 2:] = right[rows].all(), 1

        def figures(added: Array) -> dict[str, Array]:
            found = {"choice_accuracy": ratio(added[..., 0], added[..., 1])}
            if len(items) < known.sum():
                found["item_accuracy"] = ratio(added[..., 2], added[..., 3])
            return found

        return Measure(table, figures, {"choice_accuracy": np.where(known, right, np.nan)})


class Values(Scorer):
    """Pearson's r of intensities and ratings over answered rows, times the share of rows that were answered."""

    title = "values"
    perfect = tuple(f"r_{name}" for name in _NUMBERS)

    def applies(self, case: Case) -> str | None:
        return None if self._asked(case) else "no row has a gold rating"

    def _asked(self, case: Case) -> list[str]:
        return [name for name in _NUMBERS if any(name in gold.answers for gold in case.golds())]

    def measure(self, case: Case) -> Measure:
        asked = self._asked(case)
        blocks, errors = [], {}
        for name in asked:
            gold = np.array([_number(g.answers.get(name)) for g in case.golds()])
            said = np.array([_number(a.answers.get(name)) if a is not None else np.nan for a in case.answers])
            known, both = np.isfinite(gold), np.isfinite(gold) & np.isfinite(said)
            # around the gold mean, so that sums of squares keep their digits
            x, y = (np.where(both, v - np.nanmean(gold) if known.any() else v, 0.0) for v in (said, gold))
            blocks += [np.stack([x, y, x * x, y * y, x * y, np.abs(x - y), both, known], axis=1)]
            errors[f"error_{name}"] = np.where(both, np.abs(said - gold), np.nan)

        def figures(added: Array) -> dict[str, Array]:
            found: dict[str, Array] = {}
            for place, name in enumerate(asked):
                x, y, xx, yy, xy, error, n, rows = np.moveaxis(added[..., 8 * place : 8 * place + 8], -1, 0)
                covariance = n * xy - x * y
                spread = np.maximum(n * xx - x * x, 0) * np.maximum(n * yy - y * y, 0)
                varies = spread > 1e-12 * np.maximum(n, 1) ** 4
                r = np.where(varies, covariance / np.sqrt(np.where(varies, spread, 1)), 0.0)
                found[f"r_{name}"] = np.where(rows > 0, r * ratio(n, rows), np.nan)
                found[f"error_{name}"] = ratio(error, n)
            return found

        return Measure(np.concatenate(blocks, axis=1), figures, errors)
