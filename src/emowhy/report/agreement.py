"""How a run's answers agree with the gold labels that its rows carry, counted as the rows pass."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from emowhy.report.blocks import Block, Confusion, Interval, Reliability, Table
from emowhy.report.draw import BRANCHES
from emowhy.report.rows import branch, right
from emowhy.taxonomy import normalise

NO_LABEL, NO_ANSWER, OTHERS = "no label", "no answer", "other labels"

_MOST_LABELS = 30  # of the confusion table and of the table of labels
_DRAWS = 1000
_BINS = 15  # of equal mass: METRICS.md, "Calibration"


class Agreement:
    """Labels against gold labels, both as canonical words: an answer in other words is no agreement."""

    def __init__(self) -> None:
        self.rows = self.answered = 0
        self.hits: Counter[str] = Counter()
        self.said: Counter[str] = Counter()
        self.gold: Counter[str] = Counter()
        self.pairs: Counter[tuple[str, str]] = Counter()
        self.right: Counter[float] = Counter()
        self.overlap: Counter[float] = Counter()
        self.sure, self.sure_right = array("d"), array("d")

    def add(self, row: Mapping[str, Any]) -> None:
        """Count a sound row; one without gold labels counts for nothing."""
        correct = right(row)
        if correct is None:
            return
        gold = list(dict.fromkeys(map(normalise, row["sample"]["gold"]["emotions"])))
        self.rows += 1
        self.gold.update(gold)
        if row["status"] != "ok":
            self.pairs[gold[0] if gold else NO_LABEL, NO_ANSWER] += 1
            return
        said = list(dict.fromkeys(normalise(emotion["label"]) for emotion in row["emotions"]))
        both = set(said) & set(gold)
        self.answered += 1
        self.said.update(said)
        self.hits.update(both)
        self.right[float(correct)] += 1
        self.overlap[len(both) / len({*said, *gold}) if said or gold else 1.0] += 1
        self.pairs[_pair(said, gold)] += 1
        if said and (score := row["emotions"][0].get("score")) is not None:
            self.sure.append(score)
            self.sure_right.append(float(correct))

    def blocks(self) -> list[Block]:
        """What there is to show: nothing without gold labels."""
        if not self.rows:
            return []
        found: list[Block] = [self._headline(), self._labels(), self._confusion()]
        return [*found, *([self._reliability()] if len(self.sure) else [])]

    def headline(self) -> Interval | None:
        """The share of rows whose first label is gold, a missing answer being wrong."""
        return mean_interval(self.right, self.rows - self.answered)

    def _headline(self) -> Table:
        missing = self.rows - self.answered
        rows = [
            ("First label is gold", self.headline(), mean_interval(self.right)),
            ("Overlap of label sets", mean_interval(self.overlap, missing), mean_interval(self.overlap)),
        ]
        return Table(
            "Against gold",
            ("", f"All {self.rows:,} rows", f"The {self.answered:,} answered"),
            rows,
            f"Rows with gold labels, compared as canonical words. Overlap is the Jaccard index. A row without an "
            f"answer scores 0. 95% bootstrap intervals ({_DRAWS:,} draws of rows, seed 0); rows of one dialogue are "
            "taken as independent.",
        )

    def _labels(self) -> Table:
        import numpy as np

        from emowhy.bench.metrics.closed import LabelCounts, label_table

        names = sorted({*self.gold, *self.said}, key=lambda name: (-self.gold[name], -self.said[name], name))
        counts = (np.array([counter[name] for name in names], float) for counter in (self.hits, self.said, self.gold))
        scores = label_table(LabelCounts(*counts))
        rows = [
            (name, self.gold[name], self.said[name], float(precision), float(recall), float(f1))
            for name, precision, recall, f1 in zip(names, scores.precision, scores.recall, scores.f1, strict=True)
        ]
        occurring = [float(f1) for f1, n in zip(scores.f1, scores.support, strict=True) if n]
        note = f"Macro F1 over the {len(occurring)} labels that occur in gold: {_percent(occurring)}."
        if len(rows) > _MOST_LABELS:
            note += f" {len(rows) - _MOST_LABELS:,} rarer labels are not listed."
        columns = ("Label", "Gold", "Predicted", "Precision", "Recall", "F1")
        return Table("Labels", columns, rows[:_MOST_LABELS], note, labels=True)

    def _confusion(self) -> Confusion:
        """A row counts once: at its first label where that is gold, else at its first gold label."""
        kept = {name for name, _ in (self.gold + self.said).most_common(_MOST_LABELS)} | {NO_LABEL, NO_ANSWER}
        cells: Counter[tuple[str, str]] = Counter()
        for (gold, said), count in self.pairs.items():
            cells[gold if gold in kept else OTHERS, said if said in kept else OTHERS] += count
        golds, saids = (_ordered({pair[side] for pair in cells}) for side in (0, 1))
        return Confusion(
            golds,
            [[cells[gold, said] for said in saids] for gold in golds],
            saids,
            note="Gold downwards, first predicted label across. A row counts once: where its first label is one of "
            "its gold labels, there; otherwise at its first gold label.",
        )

    def _reliability(self) -> Reliability:
        import numpy as np

        from emowhy.bench.metrics.calibration import top_label_ece

        sure, correct = np.array(self.sure), np.array(self.sure_right)
        parts = np.array_split(np.argsort(sure, kind="stable"), _BINS)
        bins = [(float(sure[part].mean()), float(correct[part].mean()), len(part)) for part in parts if len(part)]
        note = f"The first label's probability in {len(sure):,} answered rows, in {_BINS} bins of equal mass."
        if len(sure) < 20 * _BINS:
            note += " With so few rows a bin, distances from the diagonal are mostly chance."
        return Reliability(bins, top_label_ece(sure[:, None], correct[:, None], _BINS), note=note)


def _pair(said: Sequence[str], gold: Sequence[str]) -> tuple[str, str]:
    top = said[0] if said else NO_LABEL
    return (top if top in gold else gold[0] if gold else NO_LABEL), top


def _ordered(labels: Iterable[str]) -> list[str]:
    """Labels of one branch side by side, and what is no label last."""
    last = (OTHERS, NO_LABEL, NO_ANSWER)
    return sorted(labels, key=lambda name: (name in last and 1 + last.index(name), BRANCHES.index(branch(name)), name))


def mean_interval(values: Mapping[float, int], missing: int = 0) -> Interval | None:
    """The mean of values that were counted, and `missing` zeros, with its seeded 95 % bootstrap interval.

    Rows of one value are alike, so that drawing n rows with replacement is one multinomial draw of counts
    (Efron and Tibshirani 1993, ch. 6). None where there is nothing to average.
    """
    import numpy as np

    counts = Counter(values) + Counter({0.0: missing})
    if not (total := counts.total()):
        return None
    points = np.array(sorted(counts))
    shares = np.array([counts[point] for point in sorted(counts)]) / total
    drawn = np.random.default_rng(0).multinomial(total, shares, _DRAWS) @ points / total
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(float(shares @ points), float(low), float(high))


def _percent(values: Sequence[float]) -> str:
    return f"{100 * sum(values) / len(values):.1f}%" if values else "–"
