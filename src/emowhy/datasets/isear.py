"""ISEAR (Scherer and Wallbott 1994): situations in which people of 37 countries felt one of seven emotions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from emowhy.datasets.base import DataSet
from emowhy.datasets.shared import number_of, rows_split_at
from emowhy.formats import Record

# a letter that touches it makes it part of a word
_LINE_BREAK = re.compile(r"[ \t]*(?<![^\W\d_])á(?![^\W\d_])[ \t]*")
_NO_ANSWER = ("no response", "none", "blank")

# When and how strongly it was felt, how the body and the voice reacted, and how the event was appraised.
_MEASURES = (
    *("WHEN", "LONG", "INTS", "ERGO", "TROPHO", "TEMPER", "EXPRES", "MOVE", "EXP1", "EXP2", "EXP10", "PARAL"),
    *("CON", "EXPC", "PLEA", "PLAN", "FAIR", "CAUS", "COPING", "MORL", "SELF", "RELA", "VERBAL", "NEUTRO"),
)


class Isear(DataSet):
    """A table split at `|`: `Field1` the emotion, `SIT` the situation, in the words of who felt it; `MYKEY` the id.

    `á` by itself is a line break. A line that is not UTF-8 is read as Latin-1, as which the file goes round too.
    A situation all in square brackets ("[ No response.]") is a note that there is none, and is rejected.
    `extra`: the measures as numbers, by their column's name, and `respondent`.
    """

    name = "isear"
    title = "ISEAR"
    labels = ("joy", "fear", "anger", "sadness", "disgust", "shame", "guilt")
    spellings: ClassVar = {"guit": "guilt"}
    licence = "research use (Swiss Center for Affective Sciences)"
    commercial = False
    source = "https://www.unige.ch/cisa/research/materials-and-online-research/research-material/"
    splits: ClassVar = {"all": ("isear.csv", "ISEAR.csv")}
    columns = ("Field1", "SIT")

    def records(self, path: Path) -> Iterator[Record]:
        return rows_split_at(path, "|")

    def row(self, cells: Mapping[str, Any], split: str) -> Mapping[str, Any]:
        text = _LINE_BREAK.sub("\n", _decoded(cells["SIT"])).strip()
        if (text[:1], text[-1:]) == ("[", "]") or text.strip(" .[]").casefold() in _NO_ANSWER:
            raise ValueError(f"no answer was given: {text[:50]!r}")
        measures = {name: _measure(cells, name) for name in _MEASURES if cells.get(name, "").strip()}
        return {
            "id": cells.get("MYKEY"),
            "text": text,
            "gold": {"emotions": [self.label(cells["Field1"].strip())]},
            "extra": {**measures, **({"respondent": cells["ID"]} if "ID" in cells else {})},
        }


def _decoded(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="surrogateescape").decode("latin-1")
    return text


def _measure(cells: Mapping[str, Any], name: str) -> int | float:
    number = number_of(cells[name], name, -999, 999)
    return int(number) if number == int(number) else number
