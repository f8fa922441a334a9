"""`occlusion`: the telling words are those whose removal lowers the emotion's probability most. No training.

Li, Monroe and Jurafsky, Understanding Neural Networks through Representation Erasure (1612.08220), section 3.
"""

from __future__ import annotations

from collections.abc import Sequence

from emowhy.specialists.base import Classifier, Specialist
from emowhy.specialists.words import Part, find_emotions, find_parts, join, tell
from emowhy.types import Clue, Sample

_LEAST_DROP = 0.05
_SHARE = 0.35
"""A word is telling if it costs at least this share of what the most telling word costs."""


class Occlusion(Specialist):
    """Cause words for the (up to two) chosen emotions that another specialist found."""

    name = "occlusion"
    kind = "cause"
    needs = ("emotion",)

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier

    def find_clues(self, samples: Sequence[Sample], clues: Sequence[Sequence[Clue]]) -> list[list[Clue]]:
        labels = {label: k for k, label in enumerate(self.classifier.taxonomy.labels)}
        texts: list[str] = []
        jobs: list[tuple[int, list[Part], list[int], int]] = []
        for i, sample in enumerate(samples):
            wanted = [labels[label] for label in find_emotions(clues[i]) if label in labels]
            parts = find_parts(sample)
            if wanted and any(part.words for part in parts):
                jobs.append((i, parts, wanted, len(texts)))
                texts.append(" ".join(part.text for part in parts))
                texts.extend(_without_each_word(parts))
        found: list[list[Clue]] = [[] for _ in samples]
        if not texts:
            return found
        scores = self.classifier.probabilities(texts)
        for i, parts, wanted, start in jobs:
            count = sum(len(part.words) for part in parts)
            drops = scores[start, wanted] - scores[start + 1 : start + 1 + count][:, wanted]
            costs: list[float] = drops.max(1).tolist()
            found[i] = tell(self.name, join(parts, costs, max(_LEAST_DROP, _SHARE * max(costs))))
        return found


def _without_each_word(parts: Sequence[Part]) -> list[str]:
    texts: list[str] = []
    for p, part in enumerate(parts):
        before = "".join(other.text + " " for other in parts[:p])
        after = "".join(" " + other.text for other in parts[p + 1 :])
        texts += [f"{before}{part.text[:start]}{part.text[end:]}{after}" for start, end in part.words]
    return texts
