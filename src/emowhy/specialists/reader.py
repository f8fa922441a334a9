"""`reader`: names the emotion from an explanation alone, its label words hidden. For judging, not for hints.

It is independent of the hint giver: another seed, one half of the training rows, and label words masked in training,
so that it reads what the words tell and not which label they name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from emowhy.specialists.emotion import TrainedClassifier
from emowhy.specialists.words import mask_labels


class Reader(TrainedClassifier):
    """GoEmotions' 28 labels, read from a text whose label words (and their synonyms) are hidden first."""

    name = "reader"

    def logits(self, texts: Sequence[str]) -> npt.NDArray[Any]:
        return super().logits([mask_labels(text, self._own.labels) for text in texts])
