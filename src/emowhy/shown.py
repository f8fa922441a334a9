"""How a sample's words are shown to a model: control tokens broken up, one line a turn; and the way back.

Jinja syntax, JSON and HTML need no care here: templates never re-expand a sample's text, and
replies are parsed apart from it. Only two things could act: strings that a tokenizer turns into
control tokens, and line breaks that would let a text pose as another turn.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Sequence

# Control tokens of the common chat formats; broken up for every engine, also where the tokenizer is unknown.
_COMMON = (
    r"<\|[^|<>\s]{1,40}\|>|<｜[^<>\s]{1,40}｜>|</?s>|</?think>|\[/?INST\]|<</?SYS>>"
    r"|<(?:start|end)_of_turn>|<(?:bos|eos|pad|unk)>"
)
_BREAKS = re.compile(r"[\s\x00-\x1f\x7f\x85\u2028\u2029]+")
_LONE = re.compile("[\ud800-\udfff]")  # lone surrogates, which no tokenizer and no UTF-8 takes
_AROUND = " \t\r\n\"'“”‘’…."  # what may stand around a whole quote
_WORD = re.compile(r"\w+")
_FOLD = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "\u00a0": " "})


@functools.lru_cache(maxsize=32)
def _control_pattern(tokens: tuple[str, ...]) -> re.Pattern[str]:
    bare = {token.strip() for token in tokens}  # a break before a token's own white space would leave the token whole
    exact = [re.escape(token) for token in sorted(bare, key=len, reverse=True) if len(token) > 1]
    return re.compile("|".join([*exact, _COMMON]))


def show(text: str, control_tokens: Sequence[str] = ()) -> str:
    """`text` on one line, with a space inside every control token (of two or more visible characters)."""
    pattern = _control_pattern(tuple(control_tokens))
    text = _LONE.sub("\ufffd", _BREAKS.sub(" ", text)).strip()
    while pattern.search(text):  # breaking one token can uncover another around it
        text = pattern.sub(lambda m: m.group()[:1] + " " + m.group()[1:], text)
    return text


def locate(quote: str, text: str) -> tuple[int, int] | None:
    """Where `quote` stands in the raw `text`: code points, half-open; None if it does not.

    The same words in the same order: only what `show` and a model's typography change is forgiven
    (white space, letter case, curly quotes and dashes, white space inside control tokens, quotation
    marks or an ellipsis around the whole quote, and a missing or added full stop at its end).
    Whole words come before a part of a word, and the very words before the same letters spaced otherwise.
    """
    forms = list(filter(None, dict.fromkeys((quote.strip(), quote.strip().strip(_AROUND).strip()))))
    for wanted in forms:
        if (found := _exact(wanted, text) or _folded(wanted, text)) is not None:
            return found
    for wanted in forms:  # not every script has word edges, and a bounded reply may end inside a word
        if (start := text.find(wanted)) >= 0:
            return start, start + len(wanted)
    return None


def _exact(quote: str, text: str) -> tuple[int, int] | None:
    """The first place where it stands letter by letter, as whole words."""
    start = text.find(quote)
    while start >= 0:
        if _on_word_edges(text, start, start + len(quote)):
            return start, start + len(quote)
        start = text.find(quote, start + 1)
    return None


def _folded(quote: str, text: str) -> tuple[int, int] | None:
    """Where both agree once white space is dropped and letter case and typography are folded.

    The first place with the same words, else the first with the same letters ("to day" in "today").
    """
    words = _words(quote)
    wanted = _BREAKS.sub("", quote.translate(_FOLD)).casefold()
    if not wanted:
        return None
    letters: list[str] = []
    origins: list[int] = []
    for place, letter in enumerate(text.translate(_FOLD)):
        if _BREAKS.match(letter):
            continue
        for folded in letter.casefold():
            letters.append(folded)
            origins.append(place)
    joined = "".join(letters)
    origins.append(len(text))
    first: tuple[int, int] | None = None
    at = joined.find(wanted)
    while at >= 0:
        stop = at + len(wanted)
        start, end = origins[at], origins[stop - 1] + 1
        # "ß" folds to two letters: a match has both or none
        whole = (at == 0 or origins[at - 1] < start) and origins[stop] >= end
        if whole and _on_word_edges(text, start, end):
            if _words(text[start:end]) == words:
                return start, end
            first = first or (start, end)
        at = joined.find(wanted, at + 1)
    return first


def _words(text: str) -> list[str]:
    return _WORD.findall(text.translate(_FOLD).casefold())


def _on_word_edges(text: str, start: int, end: int) -> bool:
    """Whether a match begins and ends with whole words (combining marks belong to their letters)."""
    before = start == 0 or not (_in_word(text[start - 1]) and _in_word(text[start]))
    after = end == len(text) or not (_in_word(text[end - 1]) and _in_word(text[end]))
    return before and after


def _in_word(letter: str) -> bool:
    return letter.isalnum() or unicodedata.category(letter).startswith("M")
