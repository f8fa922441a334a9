"""Which emotion: labels against labels. The graded overlap is our headline; closed sets have their own figures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emowhy.bench.measure import Array, Measure, means, ratio
from emowhy.bench.metrics.closed import LabelCounts, f1_averages, soft_scores
from emowhy.bench.metrics.constant import chance_corrected
from emowhy.bench.metrics.labels import graded, group, jaccard, length_ratio
from emowhy.bench.scorers.base import Case, Scorer
from emowhy.taxonomy import normalise
from emowhy.types import Explanation, Gold, Sample

_NO_LABELS = "no row has gold labels"


def labelled(case: Case) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which rows have gold labels, an empty list of them included; shape (rows,)."""
    return np.array([gold.emotions is not None for gold in case.golds()], dtype=bool)


class Graded(Scorer):
    """Label overlap where near labels count in part, and how far it is above the best constant list."""

    title = "graded label overlap"
    perfect = ("graded_f", "graded_p", "graded_r")
    right = "graded_f"

    def applies(self, case: Case) -> str | None:
        return None if labelled(case).any() else _NO_LABELS

    def measure(self, case: Case) -> Measure:
        golds = [gold.emotions for gold in case.golds()]
        known = labelled(case)
        table = np.zeros((len(golds), 6))  # p, r, f, the constant list's f, |said|/|gold|, whether that is defined
        for row, (gold, answer) in enumerate(zip(golds, case.answers, strict=True)):
            if gold is None:
                continue
            if case.constants:
                table[row, 3] = graded(gold, case.constants[row])[2]
            said = case.words(answer) if answer is not None else []
            share = length_ratio(frozenset(gold), frozenset(said))
            table[row, 4:] = (share, 1.0) if np.isfinite(share) else (0.0, 0.0)
            if answer is not None:
                table[row, :3] = graded(gold, said)
        sums = np.concatenate([table, known[:, None].astype(float)], axis=1)
        sums[~known] = 0

        def figures(added: Array) -> dict[str, Array]:
            rows = added[..., 6]
            f, constant = ratio(added[..., 2], rows), ratio(added[..., 3], rows)
            found = {"graded_f": f, "graded_p": ratio(added[..., 0], rows), "graded_r": ratio(added[..., 1], rows)}
            if case.constants:
                found |= {"graded_corrected": np.asarray(chance_corrected(f, constant)), "graded_constant": constant}
            return {**found, "labels_per_gold": ratio(added[..., 4], added[..., 5])}

        return Measure(sums, figures, {"graded_f": np.where(known, table[:, 2], np.nan)})


class Accuracy(Scorer):
    """Whether the first label is a gold label (`accuracy`), and whether any is (`hit_any`)."""

    title = "accuracy"
    perfect = ("accuracy",)
    right = "accuracy"

    def applies(self, case: Case) -> str | None:
        return None if labelled(case).any() else _NO_LABELS

    def measure(self, case: Case) -> Measure:
        known = labelled(case)

        def score(sample: Sample, said: Sequence[str]) -> tuple[float, ...]:
            gold = group((sample.gold and sample.gold.emotions) or (), "canonical")
            if not gold or not said:
                return float(not gold and not said), float(not gold and not said)
            names = [next(iter(group([word], "canonical")), "") for word in said]
            return float(names[0] in gold), float(bool(gold & set(names)))

        values = case.each(2, lambda sample, answer: score(sample, case.words(answer)))
        return means(["accuracy", "hit_any"], np.where(known[:, None], values, np.nan))


class Closed(Scorer):
    """F1 by label over a closed label set; with `single`, of the first label that a row names.

    A label that nobody has and nobody names has F1 0, as in scikit-learn. Words outside the set are not turned into
    labels: they count as named in the micro average and in `off_list`, their share of all labels named.
    """

    title = "closed label set"
    perfect = ("micro_f1", "weighted_f1", "jaccard")

    def applies(self, case: Case) -> str | None:
        if not case.labels:
            return "the label set is open"
        return None if labelled(case).any() else _NO_LABELS

    def measure(self, case: Case) -> Measure:
        place = {label: k for k, label in enumerate(case.labels)}
        count, known = len(case.labels), labelled(case)
        sums = np.zeros((len(known), 3 * count + 4))  # right, named, gold by label; off-list, named, Jaccard, rows
        overlap = np.full(len(known), np.nan)
        for row, (gold, answer) in enumerate(zip(case.golds(), case.answers, strict=True)):
            if gold.emotions is None:
                continue
            wanted = frozenset(gold.emotions)
            words = [] if answer is None else case.words(answer)
            said = frozenset(words[:1] if case.single else words)
            for label in wanted & place.keys():
                sums[row, 2 * count + place[label]] = 1
            for label in said & place.keys():
                sums[row, count + place[label]] = 1
                sums[row, place[label]] = label in wanted
            overlap[row] = 0.0 if answer is None else jaccard(wanted, said)
            sums[row, 3 * count :] = len(said - place.keys()), len(said), overlap[row], 1
        return Measure(sums, lambda added: _closed_figures(added, count), {"jaccard": overlap})


def _counts(added: Array, count: int) -> LabelCounts:
    return LabelCounts(*(added[..., i * count : (i + 1) * count] for i in range(3)))


def _closed_figures(added: Array, count: int) -> dict[str, Array]:
    counts = _counts(added, count)
    off, named, overlap, rows = np.moveaxis(added[..., 3 * count :], -1, 0)
    macro, weighted, _ = f1_averages(counts)
    return {
        "macro_f1": np.where(rows > 0, macro, np.nan),
        "weighted_f1": np.where(rows > 0, weighted, np.nan),
        "micro_f1": ratio(2 * counts.hits.sum(-1), named + counts.gold.sum(-1)),
        "jaccard": ratio(overlap, rows),
        "off_list": ratio(off, named),
    }


def label_counts(case: Case) -> LabelCounts:
    """How often each label of a closed set is rightly named, named, and gold."""
    return _counts(Closed().measure(case).sums.sum(0), len(case.labels))


class Votes(Scorer):
    """Soft labels: how near the answer's scores are to the raters' votes (`answers["votes"]`, label -> count).

    The answer's distribution is that of its scores (of a label without one, 1); what they leave of 1 goes evenly to
    the labels not named. A missing row says nothing, which is the worst there is.
    """

    title = "soft labels"

    def applies(self, case: Case) -> str | None:
        if not case.labels:
            return "the label set is open"
        return None if any(_votes(gold, case).any() for gold in case.golds()) else "no row has raters' votes"

    def measure(self, case: Case) -> Measure:
        votes = np.array([_votes(gold, case) for gold in case.golds()]).reshape(-1, len(case.labels))
        said = case.each(len(case.labels), lambda sample, answer: _distribution(answer, case.labels))
        table = np.stack(soft_scores(said, votes), axis=1)
        return means(("vote_cross_entropy", "vote_distance", "vote_accuracy"), table)


def _votes(gold: Gold, case: Case) -> Array:
    cast = gold.answers.get("votes")
    return np.array([float(cast.get(label, 0)) if isinstance(cast, dict) else 0.0 for label in case.labels])


def _distribution(answer: Explanation, labels: tuple[str, ...]) -> Array:
    known: dict[str, float] = {}
    for emotion in answer.emotions:  # of a label that stands twice, the first
        known.setdefault(normalise(emotion.label, labels), 1.0 if emotion.score is None else emotion.score)
    said = np.array([known.get(label, 0.0) for label in labels])
    left, others = 1 - said.sum(), np.array([label not in known for label in labels])
    if left > 0 and others.any():
        said[others] = left / others.sum()
    return said
