"""`cause`: the words in a dialogue that caused the target turn's emotion, in whichever turn. Research-only weights.

One pass a target: the emotion, then the target turn, then earlier turns, the nearest first, so that a token's position
says how far its turn is from the target. Four outputs a token: is it inside a cause, its first word, its last word,
and (read at a turn's speaker) is that turn a cause at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from emowhy import types
from emowhy.specialists.base import Specialist
from emowhy.specialists.calibration import logit, sigmoid
from emowhy.specialists.onnx import Array, find_weights, load_onnx
from emowhy.specialists.words import has_words
from emowhy.taxonomy import Taxonomy, find_map, find_taxonomy
from emowhy.types import Clue, Sample

INSIDE, FIRST, LAST, TURN = range(4)
EMOTIONS = ("happiness", "sadness", "anger", "fear", "surprise", "disgust")
UNKNOWN = "unknown"
_HEDGE = 2.0
_LEAST_CONTEXT = 8
"""Tokens of room below which no further turn is added."""
_FARTHEST = 4  # turns back from the target; all farther ones are alike


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn as the network reads it: where its speaker and first token stand, and each token's word in its text."""

    number: int
    speaker: int
    first: int
    offsets: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """One pass: token ids and the turns among them, the target first."""

    ids: list[int]
    turns: tuple[Turn, ...]


def frame(sample: Sample, emotion: str, tokenizer: Any, max_tokens: int) -> Frame:
    """The input for one target, which may take three quarters of the room; turns that no longer fit are left out."""
    cls, sep = (tokenizer.token_to_id(token) for token in ("[CLS]", "[SEP]"))

    def encode(text: str) -> Any:
        return tokenizer.encode(text.encode("utf-8", "replace").decode(), add_special_tokens=False)

    ids = [cls, *encode(emotion).ids, sep]
    turns: list[Turn] = []
    spoken = [*sample.context, types.Turn(sample.text or "", sample.speaker)]
    for number in range(sample.target, -1, -1):
        text, speaker = spoken[number].text, spoken[number].speaker
        # where nobody is named, two people who take turns are the likeliest
        own = speaker == sample.speaker if speaker and sample.speaker else (sample.target - number) % 2 == 0
        marker = encode("self :" if own else "other :").ids
        room = max_tokens - len(ids) - len(marker) - 1
        if number < sample.target and room < _LEAST_CONTEXT:
            break
        words = encode(text[: max_tokens * 20])
        most = room if number < sample.target else min(room, max_tokens * 3 // 4)
        keep = max(0, min(len(words.ids), most))
        turns.append(Turn(number, len(ids), len(ids) + len(marker), tuple(_word_places(words)[:keep])))
        ids += [*marker, *words.ids[:keep], sep]
    return Frame(ids, tuple(turns))


def _word_places(encoded: Any) -> list[tuple[int, int]]:
    """For each token the place of its whole word, so that no span begins or ends inside one."""
    places: dict[int, tuple[int, int]] = {}
    for word, (start, end) in zip(encoded.word_ids, encoded.offsets, strict=True):
        places[word] = places.get(word, (start, end))[0], end
    return [places[word] for word in encoded.word_ids]


@dataclass(frozen=True, slots=True)
class Found:
    """A turn's best span: probability that the turn is a cause, and code points in the turn."""

    turn: int
    score: float
    start: int
    end: int


def read_spans(framed: Frame, logits: Array) -> list[Found]:
    """The best span of every turn that has words, from logits (tokens, 4), in the frame's order.

    The span with the largest first + last + 2 · log(the token F1 that its tokens' chances to be inside expect of it).
    A turn's score weighs what is said at its speaker and at its likeliest token alike.
    """
    found: list[Found] = []
    for turn in framed.turns:
        size = len(turn.offsets)
        if not size:
            continue
        part = logits[turn.first : turn.first + size].astype(float)
        chances = sigmoid(part[:, INSIDE])
        sums = np.concatenate([[0.0], np.cumsum(chances)])
        lengths = np.arange(1, size + 1)[None, :] - np.arange(size)[:, None]
        inside = np.where(lengths > 0, sums[None, 1:] - sums[:-1, None], 0.0)
        expected = 2 * inside / (np.maximum(lengths, 1) + sums[-1])
        whole = part[:, FIRST][:, None] + part[:, LAST][None, :] + _HEDGE * np.log(expected + 1e-9)
        whole[lengths <= 0] = -np.inf
        a, b = divmod(int(whole.argmax()), size)
        odds = (float(logits[turn.speaker, TURN]) + float(part[:, INSIDE].max())) / 2
        found.append(Found(turn.number, float(sigmoid(np.array(odds))), turn.offsets[a][0], turn.offsets[b][1]))
    return found


def turn_features(found: Sequence[Found], target: int) -> Array:
    """What says whether each turn is a cause, shape (turns, 10): its log-odds, one column for each distance from the
    target (0, 1, 2, 3, more), how far it is below the likeliest turn, the target's own log-odds, the scores of the
    turns before and after it."""
    odds = logit(np.array([span.score for span in found], dtype=float))
    scores = {span.turn: span.score for span in found}
    own = logit(np.array(scores.get(target, 0.0)))
    distances = np.minimum(target - np.array([span.turn for span in found], dtype=int), _FARTHEST)
    beside = [[scores.get(span.turn + step, 0.0) for step in (-1, 1)] for span in found]
    columns = [odds[:, None], np.eye(_FARTHEST + 1)[distances], (odds - odds.max())[:, None]]
    return np.concatenate([*columns, np.full((len(found), 1), own), np.array(beside)], axis=1)


def judge_turns(found: Sequence[Found], target: int, weights: Sequence[float]) -> list[Found]:
    """The same spans with the calibrated probability that their turn is a cause: a logistic regression over
    `turn_features`, whose intercept is the first weight. Which turns are causes depends on one another."""
    if not found:
        return []
    odds = turn_features(found, target) @ np.array(weights[1:]) + weights[0]
    return [replace(span, score=float(p)) for span, p in zip(found, sigmoid(odds), strict=True)]


def emotion_weights(clues: Sequence[Clue], taxonomy: Taxonomy) -> list[float]:
    """How likely the emotion clues make each of `EMOTIONS`: the sum over the labels that mean it."""
    own = find_taxonomy(",".join(EMOTIONS))
    to_own = find_map(taxonomy, own)
    weights = dict.fromkeys(EMOTIONS, 0.0)
    for clue in clues:
        for label in to_own.get(clue.label or "", ()) if clue.kind == "emotion" else ():
            if label in weights:
                weights[label] += clue.score or 0.0
    return list(weights.values())


def name_emotion(weights: Sequence[float], favour: Sequence[float]) -> str:
    """The emotion with the largest weight times favour; "unknown" if none has any."""
    best = max(range(len(EMOTIONS)), key=lambda k: weights[k] * favour[k])
    return EMOTIONS[best] if weights[best] > 0 else UNKNOWN


class CauseSpans(Specialist):
    """Verbatim cause spans, at most one a turn, the likeliest turn first."""

    name = "cause"
    kind = "cause"
    needs = ("emotion",)

    def __init__(self, taxonomy: Taxonomy, weights: Path | None = None) -> None:
        self._taxonomy = find_taxonomy("goemotions") if taxonomy.is_open else taxonomy
        self._model = load_onnx(weights or find_weights(self.name))
        settings = self._model.head("cause")
        self._least = float(settings["threshold"])
        self._favour: list[float] = settings["favour"]
        self._turns: list[float] = settings["turns"]

    def find_clues(self, samples: Sequence[Sample], clues: Sequence[Sequence[Clue]]) -> list[list[Clue]]:
        told = [i for i, sample in enumerate(samples) if has_words(sample.text or "")]
        labels = [name_emotion(emotion_weights(clues[i], self._taxonomy), self._favour) for i in told]
        found: list[list[Clue]] = [[] for _ in samples]
        for i, spans in zip(told, self.spans([samples[i] for i in told], labels), strict=True):
            turns = samples[i].turns()
            found[i] = [
                Clue(
                    "cause",
                    self.name,
                    quote=turns[span.turn].text[span.start : span.end],
                    turn=span.turn,
                    start=span.start,
                    end=span.end,
                    score=round(span.score, 4),
                    chosen=True,
                )
                for span in sorted(spans, key=lambda span: -span.score)
                if span.score >= self._least
            ][:5]
        return found

    def spans(self, samples: Sequence[Sample], emotions: Sequence[str]) -> list[list[Found]]:
        """Every turn's best span and its calibrated probability, for each sample with the emotion it is to explain."""
        frames = [
            frame(sample, emotion, self._model.tokenizer, self._model.max_tokens)
            for sample, emotion in zip(samples, emotions, strict=True)
        ]
        outputs = self._model.run([framed.ids for framed in frames])["cause"] if frames else []
        return [
            judge_turns(read_spans(framed, logits), sample.target, self._turns)
            for sample, framed, logits in zip(samples, frames, outputs, strict=True)
        ]

    def identity(self) -> Mapping[str, Any]:
        return {"name": self.name, **self._model.identity()}
