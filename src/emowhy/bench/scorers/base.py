"""What a scorer is: rows with gold and answers in, statistics that add up out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from emowhy.bench.measure import Array, Measure
from emowhy.taxonomy import normalise
from emowhy.types import Explanation, Gold, Sample


@dataclass(frozen=True)
class Case:
    """What is scored: samples, and each one's answer or None where it is missing.

    `labels` is the task's label set (empty: open). `constants` holds, for each row, the best constant list of labels
    that was fitted on other rows. `settings` are what else was fitted or given: the clue threshold, the wheel's folder.
    """

    samples: Sequence[Sample]
    answers: Sequence[Explanation | None]
    labels: tuple[str, ...] = ()
    single: bool = False
    language: str = "en"
    constants: Sequence[Sequence[str]] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    wheel: Path | None = None

    @property
    def answered(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which rows have an answer, shape (rows,)."""
        return np.array([answer is not None for answer in self.answers], dtype=bool)

    def golds(self) -> list[Gold]:
        """What annotators say of each row."""
        return [sample.gold or Gold() for sample in self.samples]

    def words(self, answer: Explanation) -> list[str]:
        """The labels that an answer names, in its order, brought to the task's spelling; off-list words stay."""
        found = [normalise(emotion.label, self.labels or None) for emotion in answer.emotions]
        return list(dict.fromkeys(filter(None, found)))

    def each(self, width: int, score: Callable[[Sample, Explanation], Sequence[float] | Array]) -> Array:
        """`score` of every row that has an answer, (rows, width); a missing row is 0 throughout."""
        table = np.zeros((len(self.samples), width))
        for row, (sample, answer) in enumerate(zip(self.samples, self.answers, strict=True)):
            if answer is not None:
                table[row] = score(sample, answer)
        return table


class Scorer:
    """A family of figures behind one verb.

    A whole scorer (name it in a task as `my_module:Brevity`; missing rows must not be better than empty ones):

        class Brevity(Scorer):
            title = "brevity"

            def measure(self, case):
                values = case.each(1, lambda sample, answer: [len(answer.explanation or "") < 200])
                return means(["brevity"], values)
    """

    title: ClassVar[str]
    perfect: ClassVar[tuple[str, ...]] = ()
    """The figures that are 1 for the gold answers themselves."""
    right: ClassVar[str | None] = None
    """The figure among its `rows` that says whether a row is right (0 or 1, or above another system's)."""

    def applies(self, case: Case) -> str | None:
        """Why this scorer cannot score these rows; None if it can."""
        return None

    def measure(self, case: Case) -> Measure:
        """The statistics of these rows; each row with gold counts, whether it was answered or not."""
        raise TypeError(f"{type(self).__name__} overrides no `measure`")

    def gold_answer(self, sample: Sample) -> Explanation | None:
        """What it would take to be right: the gold as an answer. None where a row has no gold of this kind."""
        from emowhy.bench.answers import gold_answer

        return gold_answer(sample)
