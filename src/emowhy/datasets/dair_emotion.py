"""dair-ai/emotion (Saravia et al. 2018, CARER): tweets, each with one of six labels taken from its hashtags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from emowhy.datasets.base import DataSet, text_lines
from emowhy.formats import Record


class DairEmotion(DataSet):
    """Lines `text;label_name`, with or without that header; only the last semicolon divides.

    The labels come from hashtags, not from readers, and many texts are cut or lower-cased.
    """

    name = "dair_emotion"
    title = "dair-ai emotion (CARER)"
    labels = ("sadness", "joy", "love", "anger", "fear", "surprise")
    licence = "educational and research use"
    commercial = False
    source = "https://github.com/dair-ai/emotion_dataset"
    splits: ClassVar = {
        "train": ("train.txt", "train.csv", "training.csv"),
        "validation": ("val.txt", "validation.txt", "val.csv", "validation.csv"),
        "test": ("test.txt", "test.csv"),
    }

    def records(self, path: Path) -> Iterator[Record]:
        first = True
        for number, line in text_lines(path):
            text, divider, label = line.rpartition(";")
            if not (first and text.strip().casefold() == "text"):
                raw = line.encode(errors="surrogateescape")
                row = {"text": text, "label": label.strip()} if divider else None
                yield Record(number, number, row, None if divider else "no semicolon before a label", raw)
            first = False

    def row(self, cells: Mapping[str, Any], split: str) -> Mapping[str, Any]:
        return {"text": cells["text"], "gold": {"emotions": [self.label(cells["label"])]}}
