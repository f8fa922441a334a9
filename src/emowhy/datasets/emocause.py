"""EmoCause (Kim et al. 2021, arXiv 2109.08828): which words of a situation cause its emotion."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from emowhy.datasets.base import DataSet
from emowhy.values import kind_of


class EmoCause(DataSet):
    """JSON list of situations; `annotation` holds (word, its index in the tokenised situation).

    `gold.causes` are these single words, each at its place in the raw text. Built on the situations of
    EmpatheticDialogues valid and test: a model tuned on those must not be scored on these. There is no train split.
    """

    name = "emocause"
    title = "EmoCause"
    labels = "empathetic"
    licence = "annotations without a stated licence; texts (EmpatheticDialogues) CC BY-NC 4.0"
    commercial = False
    source = "https://github.com/skywalker023/focused-empathy"
    splits: ClassVar = {"valid": ("valid.json",), "test": ("test.json",)}
    columns = ("original_situation", "tokenized_situation", "emotion", "annotation")

    def row(self, cells: Mapping[str, Any], split: str) -> Mapping[str, Any]:
        text = cells["original_situation"]
        if not isinstance(text, str):
            raise ValueError(f"original_situation: expected a string, got {kind_of(text)}")
        text = text.replace("_comma_", ",")
        tokens = _tokens(cells["tokenized_situation"])
        places = _places(tokens, text)
        numbers = dict.fromkeys(_token(pair, tokens) for pair in _pairs(cells["annotation"]))
        causes = [_cause(tokens[number], places[number], text) for number in numbers]
        gold = {"emotions": [self.label(cells["emotion"])], "causes": causes}
        return {"id": cells.get("conv_id"), "text": text, "gold": gold}

    def label(self, value: Any) -> str:
        """Also as `__afraid__`, which is how it is written for a model."""
        return super().label(value.strip("_") if isinstance(value, str) else value)


def _tokens(found: Any) -> list[str]:
    tokens = found.split() if isinstance(found, str) else found
    if not (isinstance(tokens, list) and all(isinstance(token, str) for token in tokens)):
        raise ValueError("tokenized_situation: expected tokens")
    return [token.strip().replace("_comma_", ",") for token in tokens]


def _pairs(found: Any) -> list[tuple[str, int]]:
    if not isinstance(found, list):
        raise ValueError(f"annotation: expected a list, got {kind_of(found)}")
    for pair in found:
        if not (isinstance(pair, list) and list(map(type, pair)) == [str, int]):
            raise ValueError("annotation: expected pairs of a word and its index")
    return [(word.strip(), index) for word, index in found]


def _token(pair: tuple[str, int], tokens: list[str]) -> int:
    """Which token a pair means: the one at its index, or else the only one that is the word. Raises ValueError."""
    word, index = pair
    same = [place for place, token in enumerate(tokens) if token.casefold() == word.casefold()]
    if index in same:
        return index
    if len(same) != 1:
        raise ValueError(f"annotation: {word[:50]!r} is not token {index} of the situation")
    return same[0]


def _cause(token: str, place: tuple[int, int] | None, text: str) -> dict[str, Any]:
    if place is None:
        raise ValueError(f"annotation: {token[:50]!r} is not in the situation's text where it should be")
    start, end = place
    return {"quote": text[start:end], "turn": 0, "start": start}


def _places(tokens: list[str], text: str) -> list[tuple[int, int] | None]:
    """Start and end of every token in the raw text, each looked for behind the one before; None for one not there.

    Case makes no difference: the tokenised situation may be in lower case.
    """
    places: list[tuple[int, int] | None] = []
    end = 0
    for token in tokens:
        found = re.compile(re.escape(token), re.IGNORECASE).search(text, end)
        places.append(found.span() if found else None)
        end = found.end() if found else end
    return places
