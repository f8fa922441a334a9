"""`occlusion`: the telling words are those whose removal lowers the emotion's probability most. No training.

Li, Monroe and Jurafsky, Understanding Neural Networks through Representation Erasure (1612.08220), section 3.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from emowhy.specialists.base import Classifier, Specialist
from emowhy.taxonomy import normalise
from emowhy.types import Clue, Sample

_WORD = re.compile(r"\w+(?:[’'\-]\w+)*")
_MOST_WORDS = 96  # the classifier reads no further than 128 tokens
_MOST_CHARACTERS = 20 * 128  # what it reads at most; each word makes a copy of the text
_LEAST_DROP = 0.05
_SHARE = 0.35
"""A word is telling if it costs at least this share of what the most telling word costs."""


@dataclass(frozen=True, slots=True)
class Part:
    """One stretch of words that the classifier read: the target turn, or an observation."""

    text: str
    turn: int | None
    observation: str | None
    words: tuple[tuple[int, int], ...]


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
            wanted = [labels[label] for label in _emotions(clues[i]) if label in labels]
            parts = _parts(sample)
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
            found[i] = self._phrases(parts, drops.max(1).tolist())
        return found

    def _phrases(self, parts: Sequence[Part], drops: Sequence[float]) -> list[Clue]:
        """Telling words, those side by side joined, the most telling first."""
        least = max(_LEAST_DROP, _SHARE * max(drops))
        clues: list[Clue] = []
        place = 0
        for part in parts:
            run: list[int] = []
            scores = drops[place : place + len(part.words)]
            place += len(part.words)
            for k in range(len(scores) + 1):
                if k < len(scores) and scores[k] >= least:
                    run.append(k)
                elif run:
                    start, end = part.words[run[0]][0], part.words[run[-1]][1]
                    score = round(min(1.0, max(scores[j] for j in run)), 4)
                    quote = part.text[start:end]
                    clues.append(
                        Clue(
                            "cause", self.name, None, None, quote, part.turn, part.observation, start, end, score, True
                        )
                    )
                    run = []
        return sorted(clues, key=lambda clue: -(clue.score or 0))[:5]


def _emotions(clues: Sequence[Clue]) -> list[str]:
    """The chosen labels, at most two, or else the likeliest; nothing for a text that is plainly neutral."""
    ranked = sorted((c for c in clues if c.kind == "emotion" and c.label), key=lambda c: -(c.score or 0))
    chosen = [c.label for c in ranked if c.chosen and c.label] or [c.label for c in ranked[:1] if c.label]
    return [label for label in chosen[:2] if normalise(label) != "neutral"]


def _parts(sample: Sample) -> list[Part]:
    places: list[tuple[str, int | None, str | None]] = []
    if sample.text is not None:
        places = [(sample.text, sample.target, None)]
    else:
        places = [(words, None, name) for name, words in sample.observations.items() if words]
    parts: list[Part] = []
    left = _MOST_WORDS
    for whole, turn, name in places:
        text = whole[:_MOST_CHARACTERS]
        words = tuple(match.span() for _, match in zip(range(left), _WORD.finditer(text), strict=False))
        left -= len(words)
        parts.append(Part(text, turn, name, words))
    return parts


def _without_each_word(parts: Sequence[Part]) -> list[str]:
    texts: list[str] = []
    for p, part in enumerate(parts):
        before = "".join(other.text + " " for other in parts[:p])
        after = "".join(" " + other.text for other in parts[p + 1 :])
        texts += [f"{before}{part.text[:start]}{part.text[end:]}{after}" for start, end in part.words]
    return texts
