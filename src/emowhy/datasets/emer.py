"""EMER (Lian et al. 2023, arXiv 2306.15401): clips whose emotion is explained by clues from face, voice and words.

Only the subtitle is given to a model; observations may be joined by id. The explanation is gold and never an input.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from emowhy.datasets.base import DataSet
from emowhy.datasets.openset import OpenSet, listed_words, read_open_set
from emowhy.formats import Record
from emowhy.values import is_blank

_LICENCE = "research only, under the end-user licence agreement of MER2023"
_SOURCE = "https://github.com/zeroQiaoba/AffectGPT/tree/master/EMER"

# a quotation closely after the words that announce it; an apostrophe within a word is no quotation mark
_QUOTATION = r'"([^"]+)"|“([^”]+)”|‘(.+?)’(?!\w)' + r"|(?<!\w)'(.+?)'(?!\w)"
_SUBTITLE = tuple(
    re.compile(rf"\b{announced}\b[^\"“.!?]{{0,150}}?(?:{_QUOTATION})", re.IGNORECASE | re.DOTALL)
    for announced in ("in the text", "subtitles?")
)


class Emer(DataSet):
    """The first version: CSV `names, emotions, subtitles, reasons`, 100 clips.

    Gold: `emotions`, free words; `explanation`, the paragraph of clues. A clip without subtitle is a sample only if
    observations are joined to it.
    """

    name = "emer"
    title = "EMER (version 1, English)"
    licence = _LICENCE
    commercial = False
    source = f"{_SOURCE}/dataset-v1"
    splits: ClassVar = {"all": ("gt-eng.csv",)}
    columns = ("names", "emotions", "subtitles", "reasons")

    def records(self, path: Path) -> Iterator[Record]:
        return (_called(record, "names") for record in super().records(path))

    def row(self, cells: Mapping[str, Any], split: str) -> Mapping[str, Any]:
        emotions, reasons = cells["emotions"], cells["reasons"]
        return {
            "id": cells["id"],
            "text": cells["subtitles"],
            "gold": {
                "emotions": None if is_blank(emotions) else listed_words(emotions),
                "explanation": None if is_blank(reasons) else reasons,
            },
        }


class EmerChinese(Emer):
    """The Chinese file of the first version, for the same clips."""

    name = "emer_zh"
    folder = "emer"
    title = "EMER (version 1, Chinese)"
    language = "zh"
    splits: ClassVar = {"all": ("gt-chi.csv",)}


class EmerV2(DataSet):
    """The second version: CSV `name, chinese, english`, 332 clips, a paragraph each about video, audio and text.

    The text is the subtitle that the paragraph quotes in its part about the text; a clip without one is a sample only
    if observations are joined to it. Gold: `explanation`, the English paragraph. The labels of OV-MER are read from
    the same folder (`openset.LABEL_FILES`): `emotions`, None for a clip that they do not name; and so are word groups
    (`openset.GROUPS`): `answers["groups"]`. What cannot be read of either is told as a rejected row of its own.
    """

    name = "emer_v2"
    folder = "emer"
    title = "EMER (version 2) with the labels of OV-MER"
    licence = f"{_LICENCE} (labels: MER2024)"
    commercial = False
    source = f"{_SOURCE}/dataset-v2"
    splits: ClassVar = {"all": ("final-EMER-reason.csv",)}
    columns = ("name", "english")

    def records(self, path: Path) -> Iterator[Record]:
        known = read_open_set(path.parent)
        for record in super().records(path):
            called = _called(record, "name")
            yield called._replace(row={**called.row, "known": known}) if called.row is not None else called
        yield from known.problems

    def row(self, cells: Mapping[str, Any], split: str) -> Mapping[str, Any]:
        known: OpenSet = cells["known"]
        paragraph, id = cells["english"], cells["id"]
        return {
            "id": id,
            "text": quoted_subtitle(paragraph),
            "gold": {
                "emotions": known.labels.get(id),
                "explanation": None if is_blank(paragraph) else paragraph,
                "answers": {"groups": known.groups[id]} if id in known.groups else {},
            },
        }


def quoted_subtitle(paragraph: str) -> str | None:
    """The words in quotation marks that follow "in the text" or, failing that, "subtitle" in the same sentence."""
    for pattern in _SUBTITLE:
        if found := pattern.search(paragraph):
            words = next(words for words in found.groups() if words is not None).strip()
            return None if is_blank(words) else words
    return None


def _called(record: Record, column: str) -> Record:
    """The record under the name that its column gives it."""
    if record.row is None:
        return record
    raw = record.raw or json.dumps(record.row).encode()
    return record._replace(row={**record.row, "id": str(record.row.get(column, "")).strip()}, raw=raw)
