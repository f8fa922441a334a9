"""Sets of free words as the EMER papers score them: set-level averages, given groups, and the emotion wheel."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np

from emowhy.bench.measure import Array, Measure, ratio
from emowhy.bench.metrics.labels import (
    Grouping,
    average_s,
    f_s,
    group,
    official_set_scores,
    set_scores,
)
from emowhy.bench.metrics.wheel import Wheel, ew_f, hit_rate
from emowhy.bench.scorers.base import Case, Scorer
from emowhy.bench.scorers.labels import labelled


class Sets(Scorer):
    """Set-level precision and recall, official (OV-MER 2410.01495, MER2024), for exact and canonical words."""

    title = "set-level label overlap"
    perfect: ClassVar[tuple[str, ...]] = ("exact_f_s", "canonical_f_s", "canonical_sample_f1")
    groupings: tuple[Grouping, ...] = ("exact", "canonical")

    def applies(self, case: Case) -> str | None:
        return None if labelled(case).any() else "no row has gold labels"

    def measure(self, case: Case) -> Measure:
        blocks = [self._block(case, how) for how in self.groupings]

        def figures(added: Array) -> dict[str, Array]:
            found: dict[str, Array] = {}
            for place, how in enumerate(self.groupings):
                p, r, f1, rows, every = np.moveaxis(added[..., 5 * place : 5 * place + 5], -1, 0)
                p_s, r_s = ratio(p, rows), ratio(r, rows)
                found |= {f"{how}_f_s": f_s(p_s, r_s), f"{how}_avg_s": average_s(p_s, r_s)}
                found |= {f"{how}_p_s": p_s, f"{how}_r_s": r_s, f"{how}_sample_f1": ratio(f1, every)}
            return found

        rows = {f"{how}_sample_f1": np.where(labelled(case), block[:, 2], np.nan) for how, block in
                zip(self.groupings, blocks, strict=True)}  # fmt: skip
        return Measure(np.concatenate(blocks, axis=1), figures, rows)

    def _block(self, case: Case, how: Grouping) -> Array:
        """Official p and r, our F, and how many rows each of the two kinds has: (rows, 5)."""
        table = np.zeros((len(case.samples), 5))
        for row, (gold, answer) in enumerate(zip(case.golds(), case.answers, strict=True)):
            if gold.emotions is None:
                continue
            groups = gold.answers.get("groups") or ()
            wanted = group(gold.emotions, how, groups)
            table[row, 3:] = bool(wanted), 1
            if answer is not None:
                # the words as they were said: the grouping decides what is the same
                said = group([emotion.label for emotion in answer.emotions], how, groups)
                table[row, :2] = official_set_scores(wanted, said) if wanted else (0.0, 0.0)
                table[row, 2] = set_scores(wanted, said)[2]
        return table


class Groups(Sets):
    """The same with each row's own groups of words (`answers["groups"]`)."""

    title = "set-level label overlap, given groups"
    perfect = ("given_f_s",)
    groupings = ("given",)

    def applies(self, case: Case) -> str | None:
        return None if any(gold.answers.get("groups") for gold in case.golds()) else "no row has groups of words"


class EmotionWheel(Scorer):
    """EW and HIT on the five emotion wheels, official; only where the user has brought the wheel's files."""

    title = "emotion wheel"
    perfect = ("ew_f_1", "ew_f_2")

    def applies(self, case: Case) -> str | None:
        if case.wheel is None:
            return "no folder of the official wheel files was named (--wheel)"
        return None if labelled(case).any() else "no row has gold labels"

    def measure(self, case: Case) -> Measure:
        wheel = _load(case.wheel or Path())
        gold = [list(g.emotions or ()) for g in case.golds()]
        said = [[e.label for e in answer.emotions] if answer else [] for answer in case.answers]
        blocks: list[Array] = []
        for level in (1, 2):
            scores = wheel.scores(gold, said, level)
            blocks += [scores.precision, scores.recall, scores.counted]
        single = np.array([len(words) == 1 for words in gold], dtype=float)[:, None]
        hits, counted = wheel.hits([words[0] if len(words) == 1 else "" for words in gold], said)
        blocks += [hits * single, counted * single]
        blocks += [part.reshape(len(gold), -1) for rows in (gold, said) for part in wheel.coverage(rows)]
        return Measure(np.concatenate(blocks, axis=1), _wheel_figures)


_load = lru_cache(maxsize=1)(Wheel.load)  # one folder a run, read once for all systems


def _wheel_figures(added: Array) -> dict[str, Array]:
    parts = np.moveaxis(added, -1, 0)
    fives = [np.moveaxis(parts[5 * i : 5 * i + 5], 0, -1) for i in range(8)]
    gold_mapped, gold_all, said_mapped, said_all = parts[40:45].mean(0), parts[45], parts[46:51].mean(0), parts[51]
    with np.errstate(all="ignore"):
        return {
            "ew_f_1": ew_f(*fives[:3]),
            "ew_f_2": ew_f(*fives[3:6]),
            "hit": hit_rate(*fives[6:]),
            "wheel_gold_mapped": ratio(gold_mapped, gold_all),
            "wheel_said_mapped": ratio(said_mapped, said_all),
        }
