"""Does an explanation say what the system says? Another model names the emotion from the explanation alone.

The figures are those of the Emotional Rationale Verifier (2510.23506). (METRICS.md, "Consistency") The reader must not
be a specialist that gave hints: it would agree with itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emowhy.bench.measure import Measure, means
from emowhy.bench.metrics.labels import group
from emowhy.bench.scorers.texts import said
from emowhy.specialists.base import Classifier
from emowhy.specialists.reader import Reader
from emowhy.specialists.words import has_words, mask_labels
from emowhy.taxonomy import Taxonomy, find_taxonomy, normalise, taxonomy_names
from emowhy.types import Explanation, Sample

FIGURES = ("eea", "epc", "fcr")
"""Explanation emotion accuracy, explanation-prediction consistency, faithful consistency rate; each 0 to 1."""


def consistency(samples: Sequence[Sample], answers: Sequence[Explanation | None], reader: Classifier) -> Measure:
    """Shares of rows where the reader's label for the explanation is a gold label (`eea`) or the first label of the
    answer (`epc`), and where both of these labels are gold (`fcr`).

    A missing answer and one without an explanation are 0. Rows whose gold is missing or empty (a reader always names
    something) count for `epc` only.
    """
    read = _read(answers, reader)
    values = np.zeros((len(samples), len(FIGURES)))
    for row, (sample, answer) in enumerate(zip(samples, answers, strict=True)):
        gold = sample.gold.emotions if sample.gold else None
        if answer is not None and row in read:
            values[row] = _compare(read[row], answer, gold or (), reader.taxonomy.labels)
        if not gold:
            values[row, [0, 2]] = np.nan
    return means(FIGURES, values)


def _compare(read: str, answer: Explanation, gold: Sequence[str], labels: Sequence[str]) -> tuple[float, float, float]:
    """The figures of one row, all words brought to the reader's labels: an open task has words that it cannot say."""
    told = _landed([read], labels)
    named = _landed([emotion.label for emotion in answer.emotions[:1]], labels)
    right = _landed(gold, labels)
    return float(bool(told & right)), float(told == named), float(bool(told & right) and bool(named & right))


def _landed(words: Sequence[str], labels: Sequence[str]) -> frozenset[str]:
    return group([normalise(word, labels) for word in words], "canonical")


def _read(answers: Sequence[Explanation | None], reader: Classifier) -> dict[int, str]:
    """The reader's likeliest label for each answer that has an explanation, by the answers' places."""
    texts = {row: said(answer) for row, answer in enumerate(answers) if answer is not None}
    told = {row: text for row, text in texts.items() if has_words(text)}
    hidden = [hide_labels(text, reader.taxonomy, answers[row]) for row, text in told.items()]
    likeliest = reader.probabilities(hidden).argmax(axis=1) if hidden else ()
    return {row: reader.taxonomy.labels[k] for row, k in zip(told, likeliest, strict=True)}


def hide_labels(text: str, taxonomy: Taxonomy, answer: Explanation | None = None) -> str:
    """The text without words that name a label of the set or one that the answer names, inflected or by a synonym."""
    text = mask_labels(text, taxonomy.labels)
    for emotion in answer.emotions if answer is not None else ():
        text = mask_labels(text, (emotion.label,))
    return text


def find_reader(labels: Sequence[str]) -> Reader:
    """The reader for a task's label set (none: its own). Raises MissingError where its weights are not there."""
    known = (find_taxonomy(name) for name in taxonomy_names())
    own = next((taxonomy for taxonomy in known if taxonomy.labels == tuple(labels)), None)
    return Reader(own or Taxonomy("open" if not labels else ",".join(labels), tuple(labels)))


def gave_hints(reader: Classifier, answers: Sequence[Explanation | None]) -> bool:
    """Whether a clue of these answers is the reader's."""
    sources = {clue.source.partition("@")[0] for answer in answers if answer is not None for clue in answer.clues}
    return reader.name in sources
