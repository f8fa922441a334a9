"""What the tests of rows share: a base without a model, recipes, a specialist that says what it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from emowhy.engines.base import Engine
from emowhy.specialists import Classifier, Specialist
from emowhy.taxonomy import find_taxonomy
from emowhy.tune.recipe import RowsRecipe, TuneRecipe
from emowhy.types import Cause, Chat, Clue, Gold, Reply, Sample, Turn

GO = find_taxonomy("goemotions")
EVERYTHING = {"explain": 1.0}


class Base(Engine):
    """Lends prompts one control token; remembers the chats that it was asked."""

    name = "base"
    control_tokens = ("<|im_end|>",)

    def __init__(self) -> None:
        self.asked: list[Chat] = []

    def generate(self, chats: Sequence[Chat]) -> list[Reply]:
        self.asked += chats
        return [Reply("{}") for _ in chats]


class Told(Specialist):
    """Gives the clues that it was made with."""

    name = "told"
    kind = "emotion"

    def __init__(self, clues: Sequence[Clue]) -> None:
        self.clues = list(clues)

    def find_clues(self, samples: Sequence[Sample], clues: Sequence[Sequence[Clue]]) -> list[list[Clue]]:
        return [self.clues for _ in samples]


class Words(Classifier):
    """Finds a label likely if one of its words is in the text; `chances` are what it says of all other texts."""

    name = "words"

    def __init__(self, words: Mapping[str, str], chances: Mapping[str, float] | None = None) -> None:
        super().__init__(GO)
        self.words = words
        self.chances = {"neutral": 0.6, **(chances or {})}

    def probabilities(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        found = np.full((len(texts), len(GO.labels)), 0.01, dtype=np.float32)
        for label, chance in self.chances.items():
            found[:, GO.labels.index(label)] = chance
        for row, text in enumerate(texts):
            for word, label in self.words.items():
                if word in text:
                    found[row, GO.labels.index(label)] = 0.5
        return found


def rows(**given: Any) -> RowsRecipe:
    """A recipe's rows, of a file unless sets are given."""
    one = {"file": "own.jsonl", "labels": "goemotions", "licence": "Apache-2.0", "commercial": True}
    return RowsRecipe.model_validate({"sets": [one], "reader": None, **given})


def recipe(**given: Any) -> TuneRecipe:
    return TuneRecipe(name="test", base="base", rows=rows(**given))


def emotion(label: str, score: float, chosen: bool = False) -> Clue:
    return Clue("emotion", "told", label, score=score, chosen=chosen)


def cue(words: str, sample: Sample, turn: int | None = None) -> Clue:
    """A clue that marks words of the target, or of another turn."""
    turn = sample.target if turn is None else turn
    start = sample.turns()[turn].text.index(words)
    return Clue("cause", "told", None, None, words, turn, None, start, start + len(words), 0.9, True)


def cause(words: str, turn: int, sample: Sample) -> Cause:
    start = sample.turns()[turn].text.index(words)
    return Cause(words, turn, None, start, start + len(words), verified=True)


def lost_keys(labels: tuple[str, ...] = ("anger",)) -> Sample:
    """A dialogue whose last turn is angry at the first."""
    sample = Sample("keys", "You always do that. I am furious!", "Ann", (Turn("I lost your keys again.", "Bo"),))
    gold = Gold(labels, (cause("lost your keys", 0, sample),))
    return Sample(sample.id, sample.text, sample.speaker, sample.context, gold=gold)


CLUES = (
    emotion("joy", 0.7, chosen=True),
    emotion("anger", 0.3),
    cue("furious", lost_keys()),
)
"""Wrong about the label of `lost_keys`, right about its words."""
