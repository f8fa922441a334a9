"""The tables that the verbaliser writes from (`words/*.tsv`, each with its rules on top); here is only the reading."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from emowhy.taxonomy import normalise, place

_WORDS = Path(__file__).parent / "words"
_OTHER = "other"


@cache
def _table(name: str) -> tuple[tuple[str, ...], ...]:
    lines = (_WORDS / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    return tuple(tuple(line.split("\t")) for line in lines if line and not line.startswith("#"))


@cache
def _second_by_first(name: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for first, second in _table(name):
        found[first] = (*found.get(first, ()), second)
    return found


def frames(use: str) -> Sequence[str]:
    """The sentences for a use."""
    return _second_by_first("frames")[use]


def appraisals(label: str) -> Sequence[str]:
    """How somebody who feels so sees things: the word's own rows, else its primary branch's, else general ones."""
    known = _second_by_first("appraisals")
    word = normalise(label)
    spot = place(word)
    return known.get(word) or known.get(spot.primary if spot else _OTHER) or known[_OTHER]


def degree(answer: str, value: float) -> str:
    """What a number is called."""
    return next(words for name, least, words in _table("degrees") if name == answer and value >= float(least))


def wordings(task: str, form: str) -> Sequence[str]:
    """The ways to put a task's question, besides the template's own."""
    return tuple(question for name, kind, question in _table("wordings") if (name, kind) == (task, form))
