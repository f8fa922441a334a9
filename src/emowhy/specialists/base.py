"""What a specialist is: samples in, clues out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from emowhy.errors import UsageError
from emowhy.specialists.words import has_words
from emowhy.taxonomy import Taxonomy
from emowhy.types import Clue, Sample


class Specialist:
    """A small model (or none) that notices one kind of thing.

    A whole specialist (find it with `--specialist my_module:Shouting`):

        class Shouting(Specialist):
            name = "shouting"
            kind = "style"

            def find_clues(self, samples, clues):
                return [[Clue("style", self.name, label="shouting")] if s.words().isupper() else [] for s in samples]
    """

    name: ClassVar[str]
    kind: ClassVar[str]
    """The kind of clue it gives."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Kinds of clues it builds on; specialists that give them run before it."""

    def find_clues(self, samples: Sequence[Sample], clues: Sequence[Sequence[Clue]]) -> list[list[Clue]]:
        """New clues for each sample; `clues[i]` are those that earlier specialists found in `samples[i]`.

        Any text gives clues or an empty list, never an exception; offsets slice back to the quote.
        """
        raise TypeError(f"{type(self).__name__} overrides no `find_clues`")

    def identity(self) -> Mapping[str, Any]:
        """Name, content hash of the weights, training data and licence."""
        return {"name": self.name}


class Classifier(Specialist):
    """An emotion specialist that can score any text: what `occlusion` asks again and again."""

    kind = "emotion"
    top_k = 8
    _least: float | None = None
    """The bound of the candidate sets that are told, see `cover`."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.taxonomy = taxonomy

    def probabilities(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Calibrated probabilities, shape (texts, labels of the taxonomy), each 0 to 1."""
        raise TypeError(f"{type(self).__name__} overrides no `probabilities`")

    def thresholds(self) -> npt.NDArray[np.float32]:
        """Shape (labels,): from which probability on a label is chosen."""
        return np.full(len(self.taxonomy.labels), 0.5, dtype=np.float32)

    def candidate_bound(self, coverage: float) -> float | None:
        """The probability from which on labels belong to the candidate set: all gold labels of a text like those that
        this was fitted on are inside with at least the probability `coverage`. None where that was never fitted."""
        return None

    def find_clues(self, samples: Sequence[Sample], clues: Sequence[Sequence[Clue]]) -> list[list[Clue]]:
        """The `top_k` likeliest labels of each sample's words, or its candidate set; none where there are no words."""
        spoken = [i for i, sample in enumerate(samples) if has_words(sample.words())]
        found: list[list[Clue]] = [[] for _ in samples]
        if not spoken:
            return found
        bounds = self.thresholds()
        for i, row in zip(spoken, self.probabilities([samples[i].words() for i in spoken]), strict=True):
            ranked = np.argsort(-row, kind="stable")
            size = self.top_k if self._least is None else max(1, int((row >= self._least).sum()))
            found[i] = [
                Clue(
                    "emotion",
                    self.name,
                    self.taxonomy.labels[k],
                    score=round(float(row[k]), 4),
                    chosen=bool(row[k] >= bounds[k]),
                )
                for k in ranked[:size]
            ]
        return found

    def cover(self, coverage: float) -> None:
        """Tell candidate sets of this coverage from now on, whatever `top_k`. Raises UsageError if none was fitted."""
        self._least = self.candidate_bound(coverage)
        if self._least is None:
            raise UsageError(
                f"{self.name} has no candidate sets with coverage {coverage:g} for the labels {self.taxonomy.name}",
                "take a shipped label set and .50 to .99, or fit your own: emowhy specialists calibrate",
            )
