"""EmoLLMs (Liu et al. 2024, arXiv 2401.08508): instructions about affect, to tune on (AAID) and to score by (AEB).

EmoBank's test split is part of AEB, and so are test rows of SemEval-2018 Task 1, GoEmotions, SST and other sentiment
sets; AAID is made of SemEval-2018's tweets. A model tuned on a set must not be scored on rows that come from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from emowhy.datasets.base import DataSet
from emowhy.datasets.semeval2018 import EMOTIONS, intensity_question
from emowhy.datasets.shared import class_of, number_of, one_after_another
from emowhy.formats import Record
from emowhy.values import kind_of

# What to do, the text, whose intensity is asked for (if one emotion's is), and the words that the answer goes on from.
_INSTRUCTION = re.compile(
    r"(?:Human:)?\s*(?>Task:(?P<task>.*?)\s(?:Tweet|Text):)(?P<text>.*?)"
    r"(?:\sEmotion(?: E)?:\s*(?P<emotion>\w+)\s*\.?)?"
    r"\s(?P<opening>(?:Intensity|Sentiment) (?:Score|Class)|This (?:tweet|text) contains emotions)"
    r"\s*:\s*(?:Assistant:)?\s*",
    re.DOTALL | re.IGNORECASE,
)
_NOTHING = ("neutral or no emotion", "no emotion")


@dataclass(frozen=True, slots=True)
class _Kind:
    """A task and how it is told: the opening's last words, whether it names an emotion, what its description holds.

    `answer` is what its output says: emotions, or a number between `bounds`, a whole one if `whole`.
    """

    name: str
    opening: str
    names_emotion: bool
    description: str
    answer: str
    bounds: tuple[int, int] = (0, 0)
    whole: bool = False


_KINDS = (  # the first that fits
    _Kind("E-c", "contains emotions", False, r"pessimism", "emotions"),
    _Kind("GoEmotions", "contains emotions", False, r"neutral", "emotions"),
    _Kind("EI-reg", "intensity score", True, r"", "intensity", (0, 1)),
    _Kind("EI-oc", "intensity class", True, r"", "intensity", (0, 3), True),
    _Kind("EmoBank", "intensity score", False, r"arousal.*\b1\b.*\b5\b", "arousal", (1, 5)),
    _Kind("EmoBank", "intensity score", False, r"dominance.*\b1\b.*\b5\b", "dominance", (1, 5)),
    _Kind("EmoBank", "intensity score", False, r"valence.*\b1\b.*\b5\b", "valence", (1, 5)),
    _Kind("Vader", "intensity score", False, r"-4\b", "valence", (-4, 4)),
    _Kind("V-reg", "intensity score", False, r"(valence|sentiment).*\b1\b", "valence", (0, 1)),
    _Kind("V-oc", "intensity class", False, r"-3:", "valence", (-3, 3), True),
    _Kind("TDT", "intensity class", False, r"-1:", "valence", (-1, 1), True),
    _Kind("SST", "sentiment score", False, r"", "valence", (0, 1)),
    _Kind("SST5", "sentiment class", False, r"", "valence", (0, 4), True),
)


class _EmoLLMs(DataSet):
    """A row is an instruction with a text in it, and its output. What is asked is told from the instruction.

    Gold: `emotions` (() for "neutral or no emotion"), or `answers` intensity, valence, arousal or dominance, each on
    its task's own scale. `extra`: `task`, and `dimension`, the emotion whose intensity it is. A full stop may have
    been added to a text.
    """

    folder = "emollms"
    labels = (*EMOTIONS, "neutral")
    licence = (
        "code MIT; texts and labels under the terms of the sets they are from (SemEval-2018 and others): research use"
    )
    commercial = False
    source = "https://huggingface.co/datasets/lzw1008/EmoLLMs_data"

    def row(self, cells: Mapping[str, Any], split: str) -> Mapping[str, Any]:
        instruction, output = self.pair(cells)
        found = _INSTRUCTION.fullmatch(instruction)
        kind = _kind(found) if found else None
        if found is None or kind is None:
            raise ValueError(f"unknown task: {' '.join(instruction.split())[:80]!r}")
        dimension = self.label(found["emotion"].lower()) if found["emotion"] else None
        return {
            "id": cells["id"],
            "text": found["text"].strip(),
            "question": intensity_question(dimension) if dimension else None,
            "gold": self._gold(kind, output),
            "extra": {"task": kind.name, **({"dimension": dimension} if dimension else {})},
        }

    def pair(self, cells: Mapping[str, Any]) -> tuple[str, str]:
        """A row's instruction and output. Raises ValueError if it has no such pair."""
        raise NotImplementedError

    def _gold(self, kind: _Kind, output: str) -> Mapping[str, Any]:
        if kind.answer != "emotions":
            read = class_of if kind.whole else number_of
            return {"answers": {kind.answer: read(output, kind.answer, *kind.bounds)}}
        told = output.strip().rstrip(".").casefold()
        if told in _NOTHING:
            return {"emotions": []}
        return {"emotions": list(dict.fromkeys(self.label(word.strip()) for word in told.split(",")))}


class EmollmsAeb(_EmoLLMs):
    """AEB, the benchmark: JSON lines `instruction, input, output`; one file, or the files of its parts as published.

    The id is the part's name and the row's number. See the module for the public test splits that it holds.
    """

    name = "emollms_aeb"
    title = "EmoLLMs affective evaluation benchmark (AEB)"
    _whole = ("AEB.json", "AEB.jsonl", "test.json")
    _parts = (
        *("SemEval_merged.json", "emobank_test.json", "goemotion_test.json", "SST_test.json"),
        *("sst5_test.json", "TDT.json", "vader_test.json"),
    )
    splits: ClassVar = {"test": (*_whole, *_parts)}
    columns = ("instruction", "output")

    def records(self, path: Path) -> Iterator[Record]:
        """The rows of the one file, or of every part that is there; lines are counted on through the parts."""
        parts = [path.parent / name for name in self._parts if (path.parent / name).is_file()]
        return one_after_another([path] if path.name in self._whole else parts, self._named)

    def _named(self, path: Path) -> Iterator[Record]:
        for record in super().records(path):
            row = record.row and {**record.row, "id": f"{path.stem}-{record.number}"}
            yield record._replace(row=row)

    def pair(self, cells: Mapping[str, Any]) -> tuple[str, str]:
        instruction = cells["instruction"]
        if not isinstance(instruction, str):
            raise ValueError(f"instruction: expected a string, got {kind_of(instruction)}")
        return f"{instruction}\n{cells.get('input') or ''}", str(cells["output"])


class EmollmsAaid(_EmoLLMs):
    """AAID, the tuning data: JSON lines `{id, conversations: [{from, value}, …]}`, a question and its answer each."""

    name = "emollms_aaid"
    title = "EmoLLMs affective analysis instruction data (AAID)"
    splits: ClassVar = {
        "train": ("AAID_train.json", "train.json", "train_merged_shuffled.json"),
        "dev": ("AAID_dev.json", "dev.json", "val.json"),
    }
    columns = ("conversations",)

    def row(self, cells: Mapping[str, Any], split: str) -> Mapping[str, Any]:
        return super().row({"id": None, **cells}, split)

    def pair(self, cells: Mapping[str, Any]) -> tuple[str, str]:
        said = cells["conversations"]
        if not (isinstance(said, list) and len(said) == 2 and all(isinstance(turn, Mapping) for turn in said)):
            raise ValueError("conversations: expected a question and its answer")
        instruction, output = (turn["value"] for turn in said)
        if not isinstance(instruction, str):
            raise ValueError(f"conversations[0].value: expected a string, got {kind_of(instruction)}")
        return instruction, str(output)


def _kind(found: re.Match[str]) -> _Kind | None:
    opening = found["opening"].casefold()
    for kind in _KINDS:
        if (
            opening.endswith(kind.opening)
            and kind.names_emotion == bool(found["emotion"])
            and re.search(kind.description, found["task"], re.DOTALL | re.IGNORECASE)
        ):
            return kind
    return None
