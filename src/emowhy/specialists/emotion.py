"""Trained emotion classifiers: `emotion` (GoEmotions' 28), `emotion32` (EmpatheticDialogues' 32), `reader`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emowhy.specialists.base import Classifier
from emowhy.specialists.calibration import from_rows, logit
from emowhy.specialists.onnx import find_weights, load_onnx
from emowhy.taxonomy import Taxonomy, carry, find_taxonomy, reachable


class TrainedClassifier(Classifier):
    """A trained head's labels, carried to other label sets and calibrated again there."""

    own = "goemotions"
    """The label set it was trained on."""
    head = "emotion"

    def __init__(self, taxonomy: Taxonomy, weights: Path | None = None) -> None:
        self._own = find_taxonomy(self.own)
        super().__init__(self._own if taxonomy.is_open else taxonomy)
        self.folder = weights or find_weights(self.name)
        self._model = load_onnx(self.folder)
        self._settings = self._model.head(self.head)
        calibration, exclusive = self._settings["calibration"], bool(self._settings["exclusive"])
        # What is carried stays what the other label sets were fitted on, also when the own one is fitted again.
        carried = self._settings.get("carried", calibration.get(self.own, {}))
        self._carried = from_rows(carried, self._own.labels, exclusive)
        # A label set of the user's own was never fitted: carried probabilities stand as they are.
        rows = calibration.get(self.taxonomy.name, {})
        self.fitted = from_rows(rows, self.taxonomy.labels, exclusive and self.taxonomy == self._own)
        """The last calibration, for the label set in use."""
        self.reach = np.array(reachable(self._own, self.taxonomy))

    def logits(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """The head's raw outputs, shape (texts, labels of its own label set)."""
        if not texts:
            return np.zeros((0, len(self._own.labels)), dtype=np.float32)
        return np.stack(self._model.read(texts).outputs[self.head])

    def scores(self, texts: Sequence[str]) -> npt.NDArray[np.floating]:
        """What the last calibration turns into probabilities: logits, or log-odds of carried probabilities."""
        logits = self.logits(texts).astype(float)
        if self.taxonomy == self._own:
            return logits
        return logit(carry(self._carried.probabilities(logits), self._own, self.taxonomy))

    def probabilities(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        found = self.fitted.probabilities(self.scores(texts))
        return np.where(self.reach, found, 0.0).astype(np.float32)

    def thresholds(self) -> npt.NDArray[np.float32]:
        return self.fitted.threshold.astype(np.float32)

    def candidate_bound(self, coverage: float) -> float | None:
        bounds = self._settings.get("conformal", {}).get(self.taxonomy.name, {})
        level = math.ceil(coverage * 100 - 1e-9) / 100  # they are kept for whole percents: rather more than less
        found = bounds.get(f"{level:.2f}")
        return None if found is None else float(found)

    def identity(self) -> Mapping[str, Any]:
        return {"name": self.name, **self._model.identity()}


class EmotionSpecialist(TrainedClassifier):
    """Multi-label over GoEmotions' 28 labels; what is used by default."""

    name = "emotion"


class Emotion32(TrainedClassifier):
    """EmpatheticDialogues' 32 labels, one of which fits a situation best. Research-only weights."""

    name = "emotion32"
    own = "empathetic"
