"""Emotions in developers' comments (Imran et al. 2022, arXiv 2208.05573) and what causes them (2023, 2312.09731)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from emowhy.datasets.base import DataSet
from emowhy.datasets.shared import marked

_COLUMNS = ("Anger", "Love", "Fear", "Joy", "Sadness", "Surprise")
_LABELS = tuple(column.lower() for column in _COLUMNS)
_BETWEEN = re.compile(r"[\n;|]")


class SoftwareCauses(DataSet):
    """CSV `id, modified_comment, Cause Span`, and in one of the two public files a 0/1 column for each emotion.

    `gold.causes`: a cell that stands in the comment is one span, with its place; else it is split at line breaks, `;`
    and `|`, and each part is one, placed if it stands there. A full stop before a span (which keeps a spreadsheet from
    reading it as something else) and outer spaces are no part of it, and its case is the comment's. An empty cell
    is the answer that no words say why.
    """

    name = "software_causes"
    title = "Causes of emotions in software developers' comments"
    labels = _LABELS
    licence = "not stated by its authors; GitHub comments, research use"
    commercial = False
    source = "https://github.com/imranraad07/SE-Emotion-Cause-Replication"
    splits: ClassVar = {"all": ("cause_manual.csv", "manual_causes.csv")}
    columns = ("id", "modified_comment", "Cause Span")

    def row(self, cells: Mapping[str, Any], split: str) -> Mapping[str, Any]:
        text = cells["modified_comment"]
        gold: dict[str, Any] = {"causes": _spans(cells["Cause Span"], text)}
        if all(column in cells for column in _COLUMNS):
            gold["emotions"] = _emotions(cells)
        return {"id": cells["id"], "text": text, "gold": gold}


class SoftwareEmotions(DataSet):
    """CSV with `id`, `modified_comment` and a 0/1 column for each of six emotions; none at all is an answer: ()."""

    name = "software_emotions"
    folder = "software_causes"
    title = "Emotions in software developers' comments"
    labels = _LABELS
    licence = "not stated by its authors; GitHub comments, research use"
    commercial = False
    source = "https://github.com/imranraad07/SE-Emotion-Study/tree/main/dataset/experiment_dataset"
    splits: ClassVar = {
        "train": ("ann-train.csv", "github-train.csv"),
        "test": ("ann-test.csv", "github-test.csv"),
    }
    columns = ("id", "modified_comment", *_COLUMNS)

    def row(self, cells: Mapping[str, Any], split: str) -> Mapping[str, Any]:
        return {"id": cells["id"], "text": cells["modified_comment"], "gold": {"emotions": _emotions(cells)}}


def _emotions(cells: Mapping[str, Any]) -> list[str]:
    return [column.lower() for column in marked(cells, _COLUMNS)]


def _spans(cell: str, text: str) -> list[dict[str, Any]]:
    whole = _span(cell, text)
    if whole is None:
        return []
    if "start" in whole:
        return [whole]
    return [span for part in _BETWEEN.split(cell) if (span := _span(part, text)) is not None]


def _span(cell: str, text: str) -> dict[str, Any] | None:
    """The words of a cell as a cause of the target, with their place where they stand in the text."""
    for words in (cell.strip(), cell.strip().lstrip(". ")):
        if words and (found := re.search(re.escape(words), text, re.IGNORECASE)):
            return {"quote": found[0], "turn": 0, "start": found.start()}
    return {"quote": words, "turn": 0} if words else None
