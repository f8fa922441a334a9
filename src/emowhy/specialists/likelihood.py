"""`likelihood`: the telling words are those that the text's emotions make likelier than other emotions do. No training.

The idea is GEE's (Kim, Kim and Kim, Perspective-taking and Pragmatics for Generating Empathetic Responses Focused on
Emotion Causes, 2109.08828, section 3): a model that generates a text given an emotion, asked which words the emotion
explains. Theirs is trained for it; here the language model that reasons anyway is asked to write as somebody would
who feels an emotion, and the text is scored as its reply.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emowhy.engines.base import Engine
from emowhy.shown import show
from emowhy.specialists.base import Specialist
from emowhy.specialists.words import Part, find_emotions, find_parts, tell
from emowhy.taxonomy import place
from emowhy.types import Chat, Clue, Message, Sample, Sampling

VERSION = 1
"""Raised with every change of the words or figures below, so that no run mixes two scorings."""
_ASKED = "Write a sentence by someone who feels {emotion}."
_OTHERS = ("anger", "disgust", "fear", "joy", "love", "sadness", "surprise")  # the branches of the taxonomy
_UNLIKELY = 3
_GAP = 0.05  # nats that each word costs its span, so that a span ends where words say nothing more
_LEAST = 0.5  # nats that a span must gain all the same
_SHARE = 0.35
"""A span is telling if it gains at least this share of what the most telling span does."""
_SENTENCE_ENDS = re.compile(r"[.!?…。！？\n]")
_FLOOR = -100.0  # nats, for a token that the model holds to be impossible
_MOST_BYTES = 1024  # of a text: 96 words seldom have more, and no tokenizer makes more tokens than bytes of it

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Reading:
    """A part as the model reads it, once under each of the likely emotions, then once under each of the unlikely."""

    sample: int
    part: Part
    shown: str
    likely: tuple[str, ...]
    unlikely: tuple[str, ...]

    @property
    def emotions(self) -> tuple[str, ...]:
        return self.likely + self.unlikely


class Likelihood(Specialist):
    """Cause words for the (up to two) chosen emotions that another specialist found.

    How much likelier words are under those emotions E than under U, the least likely others, in nats, t their tokens:

        Δ = Σ_t [ mean over e in E of ln p(t | e, text before t) − mean over u in U of ln p(t | u, text before t) ]

    Told are the spans within a sentence that gain most: runs of words with the largest sum of Δ less a little for
    each word. A clue's score is 1 / (1 + exp(−Δ)) for the span's Δ: the chance that it was written under E and not
    under U, were both as likely before it (means are taken of logarithms). .5 says nothing, and no clue has less.
    """

    name = "likelihood"
    kind = "cause"
    needs = ("emotion",)

    def __init__(self, engine: Engine) -> None:
        """Raises UsageError with its cure for an engine that cannot score given texts."""
        self.engine = engine
        self._chats: dict[str, tuple[Chat, int]] = {}
        engine.token_logprobs([self._chat("joy")[0]], ["I"])  # an engine that cannot says so now, not at the first row

    def find_clues(self, samples: Sequence[Sample], clues: Sequence[Sequence[Clue]]) -> list[list[Clue]]:
        readings = [reading for i, sample in enumerate(samples) for reading in self._readings(i, sample, clues[i])]
        chats = [self._chat(emotion)[0] for reading in readings for emotion in reading.emotions]
        scored = iter(self.engine.token_logprobs(chats, [r.shown for r in readings for _ in r.emotions]))
        spans: list[list[tuple[Part, int, int, float]]] = [[] for _ in samples]
        for reading in readings:
            gains = _score_words(reading, [next(scored) for _ in reading.emotions])
            spans[reading.sample] += [(reading.part, *span) for span in _find_spans(reading.part, gains)]
        return [self._tell(some) for some in spans]

    def _readings(self, number: int, sample: Sample, clues: Sequence[Clue]) -> Iterator[_Reading]:
        likely = find_emotions(clues)
        if not likely:
            return
        unlikely = find_unlikely(likely, clues)
        room = min(self._chat(emotion)[1] for emotion in (*likely, *unlikely))
        for part in find_parts(sample):
            shown = show(part.text[: max((end for _, end in part.words), default=0)], self.engine.control_tokens)
            shown = shown.encode()[:room].decode(errors="ignore")
            if part.words and shown:
                yield _Reading(number, part, shown, tuple(likely), unlikely)

    def _chat(self, emotion: str) -> tuple[Chat, int]:
        """The chat that asks for words of that emotion, and the bytes of text that the model has room for after it."""
        if emotion not in self._chats:
            asked = _ASKED.format(emotion=show(emotion, self.engine.control_tokens))
            chat = Chat((Message("user", asked),), Sampling(thinking=False))
            length = self.engine.context_length
            room = _MOST_BYTES if length is None else length - self.engine.count_tokens(chat) - 2  # and one is written
            self._chats[emotion] = chat, max(0, min(room, _MOST_BYTES))
        return self._chats[emotion]

    def _tell(self, spans: Sequence[tuple[Part, int, int, float]]) -> list[Clue]:
        least = _SHARE * max((span[3] for span in spans), default=0.0)
        return tell(self.name, [(*span[:3], _chance(span[3])) for span in spans if span[3] >= least])

    def identity(self) -> Mapping[str, Any]:
        """The engine has an identity of its own."""
        return {"name": self.name, "version": VERSION}


def find_unlikely(likely: Sequence[str], clues: Sequence[Clue]) -> tuple[str, ...]:
    """The emotions, one of a branch, that the clues hold least likely and of which no likely label is a kind.

    A branch is as likely as its likeliest label; a label without a clue is less likely than any with one.
    """
    taken = {branch_of(label) for label in likely}
    scores: dict[str, float] = {}
    for clue in clues:
        if clue.kind == "emotion" and clue.label:
            branch = branch_of(clue.label)
            scores[branch] = max(scores.get(branch, 0.0), clue.score or 0.0)
    others = sorted((branch for branch in _OTHERS if branch not in taken), key=lambda branch: scores.get(branch, -1.0))
    return tuple(others[:_UNLIKELY])


def branch_of(label: str) -> str:
    """The primary emotion that a label is a kind of; a label that is in no branch is its own."""
    found = place(label)
    return found.primary if found else label


def _score_words(reading: _Reading, pieces: Sequence[Sequence[tuple[str, float]]]) -> list[float]:
    """Δ of each word of the part, in nats."""
    table = np.array([[score for _, score in row] for row in pieces])  # (emotions, tokens)
    table = np.nan_to_num(table, nan=_FLOOR).clip(_FLOOR, 0.0)
    many = len(reading.likely)
    letters = _spread([piece for piece, _ in pieces[0]], table[:many].mean(0) - table[many:].mean(0))
    # A text and what is shown of it differ in white space alone (and in unreadable characters, one for one).
    seen = [i for i, letter in enumerate(reading.part.text) if show(letter)][: len(letters)]
    placed = np.zeros(len(reading.part.text))
    placed[seen] = letters[: len(seen)]
    return [float(placed[start:end].sum()) for start, end in reading.part.words]


def _spread(pieces: Sequence[str], scores: Scores) -> Scores:
    """The tokens' scores shared out among their letters (white space is none; a token without any adds to the next)."""
    letters: list[float] = []
    kept = 0.0
    for piece, score in zip(pieces, scores.tolist(), strict=True):
        kept += score
        if size := len(piece.replace(" ", "")):
            letters += [kept / size] * size
            kept = 0.0
    return np.array(letters)


def _find_spans(part: Part, gains: Sequence[float]) -> Iterator[tuple[int, int, float]]:
    """Telling spans of a part: first word, the one after the last, their Δ."""
    between = [part.text[a:b] for (_, a), (b, _) in itertools.pairwise(part.words)]
    ends = [k + 1 for k, text in enumerate(between) if _SENTENCE_ENDS.search(text)]
    for first, last in itertools.pairwise([0, *ends, len(part.words)]):
        for start, end in _best_runs([gain - _GAP for gain in gains], first, last):
            yield start, end, sum(gains[start:end])


def _best_runs(values: Sequence[float], first: int, last: int) -> Iterator[tuple[int, int]]:
    """The run of values[first:last] with the largest sum and, on both its sides, again; half-open.

    As Ruzzo and Tompa (1999) define all maximal scoring subsequences, less those that sum to under `_LEAST`.
    """
    best, found = _LEAST, None
    total, start = 0.0, first
    for k in range(first, last):
        if total <= 0:
            total, start = 0.0, k
        total += values[k]
        if total > best:
            best, found = total, (start, k + 1)
    if found is not None:
        yield from _best_runs(values, first, found[0])
        yield found
        yield from _best_runs(values, found[1], last)


def _chance(nats: float) -> float:
    """Log-odds as a probability."""
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, nats))))
