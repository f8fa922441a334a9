"""EmoBank (Buechel and Hahn 2017): sentences with valence, arousal and dominance from 1 to 5."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from emowhy.datasets.base import DataSet

_FILES = ("emobank_train_dev.csv", "emobank.csv")


class EmoBank(DataSet):
    """CSV `id, split, V, A, D, text`; one file holds all splits. Gold: `answers` valence, arousal, dominance (1 to 5).

    3 is the middle of each scale: neither pleasant nor unpleasant, neither calm nor excited, neither led nor leading.
    """

    name = "emobank"
    title = "EmoBank"
    licence = "CC BY-SA 4.0"
    commercial = True
    source = "https://github.com/JULIELab/EmoBank/blob/master/corpus/emobank.csv"
    splits: ClassVar = {"train": _FILES, "dev": _FILES, "test": ("emobank.csv",)}
    columns = ("id", "split", "V", "A", "D", "text")

    def row(self, cells: Mapping[str, Any], split: str) -> Mapping[str, Any] | None:
        if cells["split"] not in self.splits:
            raise ValueError(f"split {cells['split']!r}: expected one of {', '.join(self.splits)}")
        if cells["split"] != split:
            return None
        answers = {name: _rating(cells, name[0].upper()) for name in ("valence", "arousal", "dominance")}
        return {"id": cells["id"], "text": cells["text"], "gold": {"answers": answers}}


def _rating(cells: Mapping[str, Any], column: str) -> float:
    try:
        rating = float(cells[column])
    except ValueError:
        raise ValueError(f"{column}: expected a number, got {cells[column][:50]!r}") from None
    if not 1 <= rating <= 5:  # which NaN is not either
        raise ValueError(f"{column}: expected 1 to 5, got {cells[column]}")
    return rating
