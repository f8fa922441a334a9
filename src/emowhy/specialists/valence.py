"""`valence`: valence, arousal and dominance from 1 to 5, in the same pass as `emotion`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emowhy.specialists.base import Specialist
from emowhy.specialists.onnx import Array, find_weights, load_onnx
from emowhy.specialists.words import has_words
from emowhy.types import Clue, Sample


class Valence(Specialist):
    """Three clues a text, of the kind "valence": `label` names the dimension, `value` is its place from 1 to 5."""

    name = "valence"
    kind = "valence"

    def __init__(self, weights: Path | None = None) -> None:
        self._model = load_onnx(weights or find_weights("emotion"))
        self._settings = self._model.head("valence")

    def values(self, texts: Sequence[str]) -> Array:
        """Shape (texts, 3): valence, arousal, dominance, each 1 to 5."""
        if not texts:
            return np.zeros((0, len(self._settings["names"])), dtype=np.float32)
        raw = np.stack(self._model.read(texts).outputs["valence"])
        low, high = self._settings["range"]
        scaled = raw * np.array(self._settings["scale"]) + np.array(self._settings["shift"])
        found: Array = np.clip(scaled, low, high).astype(np.float32)
        return found

    def find_clues(self, samples: Sequence[Sample], clues: Sequence[Sequence[Clue]]) -> list[list[Clue]]:
        told = [i for i, sample in enumerate(samples) if has_words(sample.words())]
        found: list[list[Clue]] = [[] for _ in samples]
        for i, row in zip(told, self.values([samples[i].words() for i in told]), strict=True):
            found[i] = [
                Clue("valence", self.name, label=name, value=round(float(value), 2))
                for name, value in zip(self._settings["names"], row, strict=True)
            ]
        return found

    def identity(self) -> Mapping[str, Any]:
        return {"name": self.name, **self._model.identity()}
