"""What specialists are worth on samples with gold: one table for each thing that they tell."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

import numpy as np

from emowhy.bench.metrics.calibration import brier_skill, coverage, label_ece, top_label_ece
from emowhy.bench.metrics.closed import gold_in_top, macro_f1, pearson
from emowhy.bench.metrics.reccon import Target, entailment_scores, span_scores
from emowhy.bench.metrics.spans import Span, span_f
from emowhy.specialists import Classifier, Specialist, find_clues
from emowhy.specialists.calibration import cross_fitted, logit
from emowhy.specialists.gold import gold_labels, gold_target
from emowhy.specialists.words import has_words
from emowhy.types import Clue, Sample

Figures = dict[str, float]

_TOGETHER = 256
_WORD = re.compile(r"\w+")


def evaluate(specialists: Sequence[Specialist], samples: Sequence[Sample]) -> dict[str, Figures]:
    """Figures of every specialist for which the samples have gold, by name; each states its rows as `n`."""
    starts = range(0, len(samples), _TOGETHER)
    clues = [found for at in starts for found in find_clues(specialists, samples[at : at + _TOGETHER])]
    tables: dict[str, Figures] = {}
    for specialist in specialists:
        own = [[clue for clue in row if clue.source == specialist.name] for row in clues]
        if isinstance(specialist, Classifier):
            tables[specialist.name] = label_figures(specialist, samples)
        if any(clue.kind == "valence" for row in own for clue in row):
            tables[f"{specialist.name}, values"] = value_figures(samples, own)
        if specialist.kind == "cause" or any(clue.kind == "cause" for row in own for clue in row):
            tables[f"{specialist.name}, spans"] = cause_figures(samples, own)
    return {name: figures for name, figures in tables.items() if figures}


def label_figures(classifier: Classifier, samples: Sequence[Sample]) -> Figures:
    """As shipped, and with calibration and thresholds refitted on half of these rows and scored on the other half."""
    labels = classifier.taxonomy.labels
    rows = [s for s in samples if s.gold and s.gold.emotions is not None and has_words(s.words())]
    if not rows:
        return {}
    gold = gold_labels(rows, labels).astype(float)
    off = sum(label not in labels for s in rows for label in (s.gold.emotions if s.gold else None) or ())
    starts = range(0, len(rows), _TOGETHER)
    parts = [classifier.probabilities([s.words() for s in rows[at : at + _TOGETHER]]) for at in starts]
    p = np.concatenate(parts).astype(float)
    found: Figures = {
        "n": len(rows),
        "gold labels of no use": off,
        "macro_f1": macro_f1((p >= classifier.thresholds()).astype(float), gold),
        **{f"top{k}": gold_in_top(p, gold, k) for k in (1, 3, 5) if k < len(labels)},
        "ece_top": top_label_ece(p, gold),
        "ece_labels": label_ece(p, gold),
        "brier_skill": brier_skill(p, gold),
    }
    if (bound := classifier.candidate_bound(0.9)) is not None:
        found["coverage_90"], found["set_size_90"] = coverage(p >= bound, gold)
    if len(rows) >= 100:
        found["macro_f1, refitted"] = cross_fitted(logit(p), gold)["macro_f1"]
    return found


def value_figures(samples: Sequence[Sample], clues: Sequence[Sequence[Clue]]) -> Figures:
    """Pearson's r and mean absolute error of each dimension that was rated."""
    said: dict[str, list[tuple[float, float]]] = {}
    for sample, row in zip(samples, clues, strict=True):
        answers = sample.gold.answers if sample.gold else {}
        for clue in row:
            if clue.label and clue.label in answers and clue.value is not None:
                said.setdefault(clue.label, []).append((clue.value, float(answers[clue.label])))
    found: Figures = {}
    for name, pairs in said.items():
        values, gold = np.array(pairs).T
        found |= {"n": len(pairs), f"r_{name}": pearson(values, gold)}
        found[f"error_{name}"] = float(np.abs(values - gold).mean())
    return found


def cause_figures(samples: Sequence[Sample], clues: Sequence[Sequence[Clue]]) -> Figures:
    """Against gold quotes: one-to-one span F at overlap .5 and by overlap, word F1, and RECCON's official scores."""
    scored: list[tuple[float, ...]] = []
    counts = np.zeros(3)
    targets: list[Target] = []
    answers: list[dict[int, str]] = []
    for sample, row in zip(samples, clues, strict=True):
        gold = sample.gold.causes if sample.gold else None
        if gold is None:
            continue
        wanted = [Span((c.turn, c.observation), c.start or 0, c.end or 0) for c in gold if c.start is not None]
        told = [_span(c) for c in row if c.kind == "cause"]
        scored.append((*span_f(told, wanted), span_f(told, wanted, None)[2]))
        words, gold_words = _words(sample, told), _words(sample, wanted)
        counts += len(words & gold_words), len(words), len(gold_words)
        targets.append(gold_target(sample))
        best: dict[int, str] = {}
        for clue in sorted((c for c in row if c.kind == "cause" and c.turn is not None), key=lambda c: -(c.score or 0)):
            best.setdefault(clue.turn or 0, clue.quote or "")
        answers.append(best)
    if not scored:
        return {}
    names = ("precision at .5", "recall at .5", "span F at .5", "span F by overlap")
    return {
        "n": len(scored),
        **{name: float(value) for name, value in zip(names, np.mean(scored, 0), strict=True)},
        "word_f1": 2 * counts[0] / max(1.0, counts[1] + counts[2]),
        **span_scores(targets, answers),
        **entailment_scores(targets, answers),
    }


def agreement(samples: Sequence[Sample], clues: Sequence[Sequence[Clue]], name: str, against: str) -> Figures:
    """How far two specialists mark the same words: precision, recall and F1 of `name`'s words against the other's,
    over rows in which the other marks any."""
    counts = np.zeros(3)
    rows = 0
    for sample, row in zip(samples, clues, strict=True):
        a, b = (
            _words(sample, [_span(c) for c in row if c.kind == "cause" and c.source == source])
            for source in (name, against)
        )
        if b:
            rows += 1
            counts += len(a & b), len(a), len(b)
    both, one, other = counts
    return {
        "n": rows,
        "precision": both / max(1.0, one),
        "recall": both / max(1.0, other),
        "word_f1": 2 * both / max(1.0, one + other),
    }


def _span(clue: Clue) -> Span:
    return Span((clue.turn, clue.observation), clue.start or 0, clue.end or 0)


def _words(sample: Sample, spans: Sequence[Span]) -> set[tuple[object, int]]:
    """The words that spans touch, as (place, start of the word)."""
    texts = {(number, None): turn.text for number, turn in sample.turns().items()}
    every = itertools.chain(texts.items(), (((None, name), said) for name, said in sample.observations.items()))
    wanted = {span.place for span in spans}
    return {
        (place, word.start())
        for place, text in every
        if place in wanted and text
        for word in _WORD.finditer(text)
        if any(s.place == place and s.start < word.end() and word.start() < s.end for s in spans)
    }
