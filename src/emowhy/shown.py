"""How a sample's words are shown to a model: control tokens broken up, one line a turn; and the way back.

Jinja syntax, JSON and HTML need no care here: templates never re-expand a sample's text, and
replies are parsed apart from it. Only two things could act: strings that a tokenizer turns into
control tokens, and line breaks that would let a text pose as another turn.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

# Control tokens of the common chat formats; broken up for every engine, also where the tokenizer is unknown.
_COMMON = r"<\|[^|<>\s]{1,40}\|>|<｜[^<>\s]{1,40}｜>|</?s>|</?think>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|<(?:bos|eos|pad|unk)>"
_BREAKS = re.compile(r"[\s\x00-\x1f\x7f\x85\u2028\u2029]+")
_FOLD = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "\u00a0": " "})


@functools.lru_cache(maxsize=32)
def _control_pattern(tokens: tuple[str, ...]) -> re.Pattern[str]:
    exact = [re.escape(token) for token in sorted(tokens, key=len, reverse=True) if len(token) > 1]
    return re.compile("|".join([*exact, _COMMON]))


def show(text: str, control_tokens: Sequence[str] = ()) -> str:
    """`text` on one line, with a space inside every control token."""
    pattern = _control_pattern(tuple(control_tokens))
    text = _BREAKS.sub(" ", text).strip()
    while pattern.search(text):  # breaking one token can uncover another around it
        text = pattern.sub(lambda m: m.group()[:1] + " " + m.group()[1:], text)
    return text


def locate(quote: str, text: str) -> tuple[int, int] | None:
    """Where `quote` stands in the raw `text`: code points, half-open; None if it does not.

    The same words in the same order: only what `show` and a model's typography change is forgiven
    (white space, letter case, curly quotes and dashes, white space inside control tokens, quotation
    marks or an ellipsis around the whole quote, and a missing or added full stop at its end).
    """
    for wanted in dict.fromkeys((quote, quote.strip(), quote.strip(" \t\r\n\"'“”‘’…."))):
        if not any(map(str.isalnum, wanted)) and wanted not in text:
            continue
        if wanted and (start := text.find(wanted)) >= 0:
            return start, start + len(wanted)
        found = _folded(wanted, text)
        if found:
            return found
    return None


def _folded(quote: str, text: str) -> tuple[int, int] | None:
    """The first place where both agree once white space is dropped and letter case and typography are folded."""
    wanted = "".join(quote.translate(_FOLD).casefold().split())
    if not wanted:
        return None
    letters: list[str] = []
    origins: list[int] = []
    for place, letter in enumerate(text.translate(_FOLD)):
        if letter.isspace():
            continue
        for folded in letter.casefold():
            letters.append(folded)
            origins.append(place)
    joined = "".join(letters)
    at = joined.find(wanted)
    while at >= 0:
        start, end = origins[at], origins[at + len(wanted) - 1] + 1
        if _on_word_edges(text, start, end):
            return start, end
        at = joined.find(wanted, at + 1)
    return None


def _on_word_edges(text: str, start: int, end: int) -> bool:
    """White space was dropped to compare, so a match must not begin or end inside a word."""
    before = start == 0 or not (text[start - 1].isalnum() and text[start].isalnum())
    after = end == len(text) or not (text[end - 1].isalnum() and text[end].isalnum())
    return before and after
