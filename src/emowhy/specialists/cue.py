"""`cue`: the words that carry the emotion, from a token head in the same pass as `emotion`.

The head learned to mark the words that `occlusion` finds with the same network, so it costs no further pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emowhy.specialists.base import Specialist
from emowhy.specialists.calibration import sigmoid
from emowhy.specialists.onnx import Array, find_weights, load_onnx
from emowhy.specialists.words import Part, find_emotions, find_parts, has_words, join, tell
from emowhy.types import Clue, Sample


class Cue(Specialist):
    """Cause words for texts in which a specialist found an emotion other than neutral."""

    name = "cue"
    kind = "cause"
    needs = ("emotion",)

    def __init__(self, weights: Path | None = None) -> None:
        self._model = load_onnx(weights or find_weights("emotion"))
        self._least = float(self._model.head("cue")["threshold"])

    def find_clues(self, samples: Sequence[Sample], clues: Sequence[Sequence[Clue]]) -> list[list[Clue]]:
        told = [i for i, sample in enumerate(samples) if has_words(sample.words())]
        found: list[list[Clue]] = [[] for _ in samples]
        if not told:
            return found
        # the very texts that `emotion` reads, so that one reading serves both
        reading = self._model.read([samples[i].words() for i in told])
        for i, offsets, logits in zip(told, reading.offsets, reading.outputs["cue"], strict=True):
            parts = find_parts(samples[i])
            if find_emotions(clues[i]) and any(part.words for part in parts):
                scores = word_scores(parts, offsets, sigmoid(logits[:, 0]))
                if max(scores) > 0:  # else no word was read
                    found[i] = tell(self.name, join(parts, scores, min(self._least, max(scores))))
        return found

    def identity(self) -> Mapping[str, Any]:
        return {"name": self.name, **self._model.identity()}


def word_places(parts: Sequence[Part]) -> list[tuple[int, int]]:
    """Where each word of the parts stands in their texts joined by single spaces, as `Sample.words` joins them."""
    places: list[tuple[int, int]] = []
    at = 0
    for part in parts:
        places += [(at + start, at + end) for start, end in part.words]
        at += len(part.text) + 1
    return places


def word_scores(parts: Sequence[Part], offsets: Sequence[tuple[int, int]], scores: Array) -> list[float]:
    """One score a word: the highest of its tokens; 0 for words beyond those that were read."""
    each: list[float] = scores.tolist()
    found: list[float] = []
    token = 0
    for start, end in word_places(parts):
        while token < len(offsets) and offsets[token][1] <= start:
            token += 1
        inside = []
        at = token
        while at < len(offsets) and offsets[at][0] < end:
            if offsets[at][1] > start:
                inside.append(each[at])
            at += 1
        found.append(max(inside, default=0.0))
    return found
