"""GoEmotions (Demszky et al. 2020, arXiv 2005.00547): Reddit comments, each with one or more of 28 labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from emowhy.datasets.base import DataSet, text_lines
from emowhy.formats import Record


class GoEmotions(DataSet):
    """TSV without header: text, label ids separated by commas, comment id (the sample's id)."""

    name = "goemotions"
    title = "GoEmotions"
    labels = "goemotions"
    licence = "CC BY 4.0"
    commercial = True
    source = "https://github.com/google-research/google-research/tree/master/goemotions/data"
    splits: ClassVar = {"train": ("train.tsv",), "dev": ("dev.tsv",), "test": ("test.tsv",)}

    def records(self, path: Path) -> Iterator[Record]:
        """Split at tabs only: a quotation mark is a character of the comment like any other."""
        for number, line in text_lines(path):
            cells = line.split("\t")
            raw = line.encode(errors="surrogateescape")
            if len(cells) in (2, 3):  # the comment's id may be missing
                yield Record(number, number, dict(zip(("text", "labels", "id"), cells, strict=False)), raw=raw)
            else:
                yield Record(number, number, problem=f"{len(cells)} cells where there should be 3", raw=raw)

    def row(self, cells: Mapping[str, Any], split: str) -> Mapping[str, Any]:
        by_number = {str(number): label for number, label in enumerate(self.label_set())}
        numbers = dict.fromkeys(cells["labels"].split(","))  # a label that stands twice is one
        if unknown := [number for number in numbers if number not in by_number]:
            raise ValueError(f"label id {unknown[0]!r}: expected 0 to {len(by_number) - 1}")
        emotions = [by_number[number] for number in numbers]
        return {"id": cells.get("id"), "text": cells["text"], "gold": {"emotions": emotions}}
