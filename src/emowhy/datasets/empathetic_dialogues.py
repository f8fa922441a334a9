"""EmpatheticDialogues (Rashkin et al. 2019, arXiv 1811.00207): situations, each with one of 32 labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from emowhy.datasets.base import DataSet, text_lines
from emowhy.formats import Record


class EmpatheticDialogues(DataSet):
    """Either CSV `text, emotion`, a situation a row, or the files as published, a turn of a conversation a row.

    Of the latter each conversation's situation is read, under the conversation's id.
    """

    name = "empathetic_dialogues"
    title = "EmpatheticDialogues (situations)"
    labels = "empathetic"
    licence = "CC BY-NC 4.0"
    commercial = False
    source = "https://github.com/facebookresearch/EmpatheticDialogues"
    splits: ClassVar = {
        "train": ("situations_train.csv", "train.csv"),
        "valid": ("situations_valid.csv", "valid.csv"),
        "test": ("situations_test.csv", "test.csv"),
    }
    columns = ("text", "emotion")

    def records(self, path: Path) -> Iterator[Record]:
        _, header = next(text_lines(path), (0, ""))
        return _conversations(path) if header.startswith("conv_id,") else super().records(path)

    def row(self, cells: Mapping[str, Any], split: str) -> Mapping[str, Any]:
        emotion = self.label(cells["emotion"])
        return {"id": cells.get("id"), "text": cells["text"], "gold": {"emotions": [emotion]}}


def _conversations(path: Path) -> Iterator[Record]:
    """The first turn of each conversation: `conv_id, utterance_idx, context (the label), prompt (the situation), …`.

    These files are split at every comma and know no quoting: a comma in a text is written `_comma_`.
    """
    previous = None
    for number, line in islice(text_lines(path), 1, None):
        cells = line.split(",")
        raw = line.encode(errors="surrogateescape")
        if len(cells) < 8:
            yield Record(number, number, problem=f"{len(cells)} cells where there should be 8", raw=raw)
        elif cells[0] != previous:
            previous, _, emotion, situation = cells[:4]
            text = situation.replace("_comma_", ",")
            yield Record(number, number, {"id": previous, "emotion": emotion, "text": text}, raw=raw)
