"""What a specialist is: samples in, clues out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

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

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.taxonomy = taxonomy

    def probabilities(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Calibrated probabilities, shape (texts, labels of the taxonomy), each 0 to 1."""
        raise TypeError(f"{type(self).__name__} overrides no `probabilities`")

    def thresholds(self) -> npt.NDArray[np.float32]:
        """Shape (labels,): from which probability on a label is chosen."""
        return np.full(len(self.taxonomy.labels), 0.5, dtype=np.float32)

    def find_clues(self, samples: Sequence[Sample], clues: Sequence[Sequence[Clue]]) -> list[list[Clue]]:
        """The `top_k` likeliest labels of each sample's words; none where there are no words."""
        spoken = [i for i, sample in enumerate(samples) if any(map(str.isalnum, sample.words()))]
        found: list[list[Clue]] = [[] for _ in samples]
        if not spoken:
            return found
        bounds = self.thresholds()
        for i, row in zip(spoken, self.probabilities([samples[i].words() for i in spoken]), strict=True):
            ranked = np.argsort(-row, kind="stable")[: self.top_k]
            found[i] = [
                Clue(
                    "emotion",
                    self.name,
                    self.taxonomy.labels[k],
                    score=round(float(row[k]), 4),
                    chosen=bool(row[k] >= bounds[k]),
                )
                for k in ranked
            ]
        return found
