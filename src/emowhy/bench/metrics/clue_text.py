"""A description of an emotion -> its clues: one observation each, tagged with what it was observed in. English.

A description is a paragraph of what was seen, heard and said, most often with a last sentence that names the emotion.
The words that it is read by stand in `clue_words.tsv`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from emowhy.bench.metrics.clue_words import content_words, padded, phrases, stop_words, surfaces
from emowhy.taxonomy import place

Modality = Literal["visual", "audio", "text"]
MODALITIES: tuple[Modality, ...] = ("visual", "audio", "text")

LEAST_ECHO = 4
"""Words in a row that count as repeating the subtitle where they stand in no quotation marks."""

_WORD = re.compile(r"\w+(?:['’]\w+)*")
_QUOTED = re.compile(r"\"[^\"\n]*\"|“[^”\n]*”|«[^»\n]*»|(?<!\w)['‘](?=\w)[^\n]*?['’](?!\w)")
_SENTENCE_END = re.compile(r"[.!?…]+(?:\s+|[\"'”’»)\]]+\s+(?![a-z]))|\s*\n\s*")
_ABBREVIATION = re.compile(r"\b(?:mr|mrs|ms|dr|prof|vs|e\.g|i\.e|cf)\.\s+$", re.IGNORECASE)
_CLAUSE_END = re.compile(
    r"[;:,]\s+|\s+[–—-]+\s+|—|\s+(?=(?:while|whereas|but|because|although|though|which)\b)", re.IGNORECASE
)
_OPENING = re.compile(r"(?:in|at|on|from|during|throughout|by|as for|judging)\b", re.IGNORECASE)
_REASON = re.compile(r"\b(?:because|since|due to|given that|as shown by)\b.*", re.IGNORECASE | re.DOTALL)
_EDGES = ",;:–—-•*#_"


@dataclass(frozen=True, slots=True)
class ClueText:
    """One clue in its own words; `modality` None where nothing so far tells what it was observed in."""

    text: str
    modality: Modality | None


def find_clues(text: str, subtitle: str | None = None) -> list[ClueText]:
    """The clues of a description, without what repeats the subtitle and without its conclusion."""
    return cut(without_conclusion(without_subtitle(text, subtitle) if subtitle else text))


def cut(text: str) -> list[ClueText]:
    """Sentences, then clauses, each with a modality.

    A clause ends at a comma, semicolon, colon or dash, or before "while", "but", "because" and their like, not within a
    quotation. One with fewer than two content words joins the clause before it; an opening such as "In the video, …"
    joins the one after it. What has no word but stop words and names of modalities is left out.

    The modality is the one whose name stands first ("in the audio"), else the one with most cue words (of equal ones
    the first of visual, audio, text), else that of the clause before. Words in quotation marks are no cues.
    """
    found: list[ClueText] = []
    modality: Modality | None = None
    for sentence in sentences(text.replace("**", "")):  # Markdown's emphasis, which models like
        for clause in _clauses(sentence):
            modality = _modality(clause) or modality
            if _says_something(clause):
                found.append(ClueText(clause, modality))
    return found


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text, stripped; a full stop within a quotation or after a title ends none."""
    ends = [found.end() for found in _SENTENCE_END.finditer(text)]
    kept = [end for end in ends if not _ABBREVIATION.search(text, max(0, end - 8), end)]
    return [part for start, end in _pieces(text, kept) if (part := _trim(text[start:end]))]


def without_conclusion(text: str) -> str:
    """The sentences of a text, a line each, without those that conclude it: they state labels.

    These are the sentences with a summing-up phrase ("overall", "these clues") and an emotion word; and the last
    sentence with an emotion word, if it has a stating phrase as well ("feels", "suggests", "she is") and neither name
    nor cue of a modality (else it is a clue). An emotion word is one with a place in the taxonomy's branches.
    A reason that is given is kept: "because …" to the end of the sentence.
    """
    parts = sentences(text)
    emotional = [part for part in parts if _names_emotion(part)]
    dropped = [part for part in emotional if _has(part, "conclusion", "sum")]
    dropped += [part for part in emotional[-1:] if _has(part, "conclusion", "states") and not _modality(part)]
    kept = [part if part not in dropped else _reason(part) for part in parts]
    return "\n".join(filter(None, kept))


def without_subtitle(text: str, subtitle: str) -> str:
    """The text without the words that only repeat the subtitle (see `echo_rate`), and without the marks around them."""
    quotations = _quotations(text)
    for start, end in reversed(_echoes(text, subtitle)):
        left, right, mark = start, end, ""
        for opens, closes in quotations:
            if opens <= start and end <= closes and not _WORD.search(text[opens:start] + text[end:closes]):
                left, right, mark = opens, closes, _full_stop(text, end, closes)
        text = text[:left] + mark + text[right:]
    return re.sub(r"\s+(?=[.,;:!?]|$)", "", re.sub(r"[^\S\n]+", " ", text).strip())


def echo_rate(text: str, subtitle: str) -> float:
    """The share of the words of a text that only repeat the subtitle, 0 to 1; 0 for a text without words.

    A quotation does so if all its words stand in the subtitle side by side, and elsewhere any four words that do.
    Case and punctuation do not count.
    """
    repeated = sum(len(_WORD.findall(text, start, end)) for start, end in _echoes(text, subtitle))
    return repeated / len(_WORD.findall(text)) if repeated else 0.0


# Clauses --------------------------------------------------------------------------------------------------------


def _quotations(text: str) -> list[tuple[int, int]]:
    return [found.span() for found in _QUOTED.finditer(text)]


def _pieces(text: str, ends: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The stretches between the places to cut at, passing over those within a quotation."""
    quotations = _quotations(text)
    start = 0
    for end in (*ends, len(text)):
        if end > start and not any(opens < end < closes for opens, closes in quotations):
            yield start, end
            start = end


def _clauses(sentence: str) -> list[str]:
    """The clauses of a sentence, those too short to stand alone joined to their neighbours."""
    joined: list[str] = []
    for start, end in _pieces(sentence, [found.end() for found in _CLAUSE_END.finditer(sentence)]):
        piece = sentence[start:end]
        unfinished = len(joined) == 1 and _is_short(joined[0], 3 if _OPENING.match(sentence) else 2)
        if joined and (unfinished or _is_short(piece)):
            joined[-1] += piece
        else:
            joined.append(piece)
    return [_trim(part, ".") for part in joined]


def _trim(text: str, also: str = "") -> str:
    return text.strip(_EDGES + also + "".join(filter(str.isspace, text)))


def _is_short(piece: str, least: int = 2) -> bool:
    return len(content_words(piece)) < least


def _says_something(clause: str) -> bool:
    said = padded(clause)
    for name in (name for modality in MODALITIES for name in phrases(modality, "name")):
        said = said.replace(name, " ")
    return any(not stem.isdigit() and stem not in stop_words() for stem in said.split())


# Cues -----------------------------------------------------------------------------------------------------------


def _modality(clause: str) -> Modality | None:
    said = padded(_QUOTED.sub(" ", clause))
    places = {m: [said.find(name) for name in phrases(m, "name") if name in said] for m in MODALITIES}
    if any(places.values()):
        return min((m for m in MODALITIES if places[m]), key=lambda m: min(places[m]))
    cues = [sum(cue in said for cue in phrases(m, "cue")) for m in MODALITIES]
    return MODALITIES[cues.index(max(cues))] if any(cues) else None


def _has(sentence: str, topic: str, use: str) -> bool:
    said = padded(sentence)
    return any(phrase in said for phrase in phrases(topic, use))


def _names_emotion(sentence: str) -> bool:
    words = {word.casefold() for word in _WORD.findall(_QUOTED.sub(" ", sentence))}
    return any(place(word) is not None for word in words - surfaces("conclusion", "everyday"))


def _reason(sentence: str) -> str:
    found = _REASON.search(sentence)
    return found[0] if found else ""


# Subtitles ------------------------------------------------------------------------------------------------------


def _echoes(text: str, subtitle: str) -> list[tuple[int, int]]:
    """The stretches of characters that repeat the subtitle, from left to right; none reaches out of a quotation."""
    words = list(_WORD.finditer(text))
    said = [_plain(word[0]) for word in words]
    given = " ".join(("", *map(_plain, _WORD.findall(subtitle)), ""))
    quotations = _quotations(text)
    within = [next((k for k, (a, b) in enumerate(quotations) if a <= w.start() < b), None) for w in words]
    runs = [range(k, k + LEAST_ECHO) for k in range(len(words) - LEAST_ECHO + 1)]
    runs += [range(places[0], places[-1] + 1) for k in range(len(quotations)) if (places := _where(within, k))]
    echoed = {k for run in runs if " ".join(("", *said[run.start : run.stop], "")) in given for k in run}
    grouped = groupby(enumerate(sorted(echoed)), lambda pair: (pair[1] - pair[0], within[pair[1]]))
    stretches = [[k for _, k in group] for _, group in grouped]
    return [(words[run[0]].start(), words[run[-1]].end()) for run in stretches]


def _full_stop(text: str, end: int, closes: int) -> str:
    """What ends the sentence after the last word of a quotation; nothing if the sentence goes on behind it."""
    goes_on = re.match(r"\s*[a-z,;]", text[closes:])
    return "" if goes_on else "".join(re.findall(r"[.!?]", text[end:closes]))[-1:]


def _where(values: Sequence[int | None], wanted: int) -> list[int]:
    return [k for k, value in enumerate(values) if value == wanted]


def _plain(word: str) -> str:
    return word.casefold().replace("’", "'")
