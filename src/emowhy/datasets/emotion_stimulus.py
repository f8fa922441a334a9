"""Emotion-Stimulus (Ghazi, Inkpen and Szpakowicz 2015): sentences with their emotion, some with its cause tagged."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from emowhy.datasets.base import DataSet, text_lines
from emowhy.formats import Record

_SENTENCE = re.compile(r"\s*<(?P<label>\w+)>(?P<inside>.*)<[\\/](?P=label)>\s*", re.DOTALL)
_TAG = re.compile(r"<([\\/]?)cause>")


class EmotionStimulus(DataSet):
    r"""A line a sentence: `<happy>Mum was pleased <cause>with the vase<\cause> . <\happy>`.

    The text is what is left without the tags. `gold.causes` are the tagged words with their place in it, or None
    in a sentence without such tags (the file "No Cause.txt"), where no cause was looked for.
    """

    name = "emotion_stimulus"
    title = "Emotion-Stimulus"
    labels = ("happiness", "sadness", "anger", "fear", "surprise", "disgust", "shame")
    spellings: ClassVar = {"happy": "happiness", "sad": "sadness"}
    licence = "not stated by its authors; research use"
    commercial = False
    source = "https://www.site.uottawa.ca/~diana/resources/emotion_stimulus_data/"
    splits: ClassVar = {"cause": ("Emotion Cause.txt",), "no_cause": ("No Cause.txt",)}

    def records(self, path: Path) -> Iterator[Record]:
        for number, line in text_lines(path):
            raw = line.encode(errors="surrogateescape")
            if found := _SENTENCE.fullmatch(line):
                yield Record(number, number, found.groupdict(), raw=raw)
            else:
                yield Record(number, number, problem="expected a sentence between an emotion's tags", raw=raw)

    def row(self, cells: Mapping[str, Any], split: str) -> Mapping[str, Any]:
        text, causes = _without_tags(cells["inside"])
        return {"text": text, "gold": {"emotions": [self.label(cells["label"])], "causes": causes or None}}


def _without_tags(tagged: str) -> tuple[str, list[dict[str, Any]]]:
    """The text without outer spaces, and what was tagged in it. Raises ValueError if the tags do not pair up."""
    pieces = _TAG.split(tagged)  # words, slash or nothing, words, …
    marks = pieces[1::2]
    if any(bool(mark) != bool(place % 2) for place, mark in enumerate(marks)) or len(marks) % 2:
        raise ValueError("cause tags do not pair up")
    words = pieces[::2]
    text = "".join(words)
    before = len(text) - len(text.lstrip())
    causes = []
    for place in range(1, len(words), 2):
        start = len("".join(words[:place])) + len(words[place]) - len(words[place].lstrip())
        causes.append({"quote": words[place].strip(), "turn": 0, "start": start - before})
    return text.strip(), causes
