"""What the specialists that pick words share: for which emotions, among which words, and telling words as clues."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from emowhy.taxonomy import normalise
from emowhy.types import Clue, Sample

_WORD = re.compile(r"\w+(?:[’'\-]\w+)*")
_MOST_WORDS = 96  # the shipped classifier reads no further than 128 tokens
_MOST_CHARACTERS = 20 * 128  # what it reads at most; occlusion makes a copy of the text for each word
_MOST_CLUES = 5


@dataclass(frozen=True, slots=True)
class Part:
    """One stretch of words: the head of the target turn, or of an observation. `words` are (start, end) in `text`."""

    text: str
    turn: int | None
    observation: str | None
    words: tuple[tuple[int, int], ...]


def has_words(text: str) -> bool:
    """Whether there is a letter or a digit to read."""
    return any(map(str.isalnum, text))


def find_emotions(clues: Sequence[Clue]) -> list[str]:
    """The chosen labels, at most two, or else the likeliest; nothing for a text that is plainly neutral."""
    ranked = sorted((c for c in clues if c.kind == "emotion" and c.label), key=lambda c: -(c.score or 0))
    chosen = [c.label for c in ranked if c.chosen and c.label] or [c.label for c in ranked[:1] if c.label]
    return [label for label in chosen[:2] if normalise(label) != "neutral"]


def find_parts(sample: Sample) -> list[Part]:
    """The target turn or, where nothing is said, the observations; at most 96 words of them together."""
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


def join(parts: Sequence[Part], scores: Sequence[float], least: float) -> Iterator[tuple[Part, int, int, float]]:
    """Words that score `least` or more, those side by side as one span with the highest of their scores.

    `scores` has one for every word of the parts, in order; the spans are as `tell` takes them.
    """
    place = 0
    for part in parts:
        own = scores[place : place + len(part.words)]
        place += len(part.words)
        for telling, run in itertools.groupby(range(len(own)), lambda k, own=own: own[k] >= least):  # type: ignore[misc]
            if telling:
                words = list(run)
                yield part, words[0], words[-1] + 1, max(own[k] for k in words)


def mask_labels(text: str, labels: Sequence[str], mask: str = "[MASK]") -> str:
    """The text with every word hidden that names one of the labels, inflected or by a synonym."""
    return re.sub(r"\w+", lambda word: mask if normalise(word[0], labels) in labels else word[0], text)


def tell(source: str, spans: Iterable[tuple[Part, int, int, float]]) -> list[Clue]:
    """Spans as clues, the highest score first, at most five.

    A span is a part, its first word and the one after its last (their places in `words`), and a score of 0 to 1
    (more counts as 1).
    """
    clues: list[Clue] = []
    for part, first, last, score in spans:
        start, end = part.words[first][0], part.words[last - 1][1]
        quote, score = part.text[start:end], round(min(1.0, score), 4)
        clues.append(Clue("cause", source, None, None, quote, part.turn, part.observation, start, end, score, True))
    return sorted(clues, key=lambda clue: -(clue.score or 0))[:_MOST_CLUES]
