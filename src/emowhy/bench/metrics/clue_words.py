"""The words of descriptions: stems, words with content, and the table of cue words beside this file. English."""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import Any

_TABLE = Path(__file__).with_name("clue_words.tsv")


@lru_cache(maxsize=16384)
def stems(text: str) -> tuple[str, ...]:
    """The words of a text in lower case, stemmed (Porter 1980) where longer than three letters, as ROUGE cuts them."""
    return tuple(_tokenizer().tokenize(text))


def content_words(text: str) -> list[str]:
    """The stems without stop words."""
    return [stem for stem in stems(text) if stem not in stop_words()]


def padded(text: str) -> str:
    """The stems in one string with a blank before and after each: a phrase in blanks is in it as whole words."""
    return " ".join(("", *stems(text), ""))


@cache
def phrases(topic: str, use: str) -> tuple[str, ...]:
    """The stemmed phrases of one row of the table, in blanks as `padded` leaves them."""
    return tuple(dict.fromkeys(padded(phrase) for phrase in surfaces(topic, use)))


@cache
def surfaces(topic: str, use: str) -> frozenset[str]:
    """The phrases of one row of the table as they are written there."""
    rows = [line.split("\t") for line in _TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return frozenset(phrase for a, b, cell in rows if (a, b) == (topic, use) for phrase in cell.split(", "))


@cache
def stop_words() -> frozenset[str]:
    """The stems of the words that carry no content."""
    return frozenset(stem for word in surfaces("stop", "word") for stem in stems(word))


@cache
def _tokenizer() -> Any:
    from rouge_score.tokenizers import DefaultTokenizer  # brings nltk, which is slow to import

    return DefaultTokenizer(use_stemmer=True)
