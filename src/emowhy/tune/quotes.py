"""Which words a training row quotes: the annotated spans or, where there are none, the clauses around cue words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from emowhy.bench.metrics.spans import Span, overlap
from emowhy.schema import MOST_CAUSES
from emowhy.shown import show
from emowhy.tune.verbaliser import Quote, Whose
from emowhy.types import Cause, Clue, Sample

_MOST_CLAUSE = 80  # characters
_MOST_CUES = 2
# Where a clause ends: at punctuation, or before a word that begins another.
_EDGE = re.compile(
    r"[.!?;:…\n()\"“”]+|,(?=\s)|\s[-–—]+(?=\s)|\s(?=(?:and|but|because|when|while|although|though|cause|cuz)\s)",
    re.IGNORECASE,
)
_JOINT = re.compile(r"\s*(?:and|but|because|when|while|although|though|cause|cuz)\s+", re.IGNORECASE)


def gold_quotes(
    sample: Sample, longest: int, clues: Sequence[Clue] = (), follow: float | None = None
) -> tuple[Cause, ...] | None:
    """The annotated causes that are verbatim, at most three, each cut to whole words within `longest` characters; None
    where nobody annotated any.

    With `follow`, one that overlaps a specialist's chosen quote by at least so much (intersection over union) ends
    where that does: where a cause begins and ends annotators differ.
    """
    annotated = sample.gold.causes if sample.gold else None
    if annotated is None:
        return None
    found = [cause for cause in annotated if cause.verified]
    if follow is not None:
        hinted = [clue for clue in clues if clue.kind == "cause" and clue.chosen and clue.start is not None]
        found = [_follow(cause, hinted, follow) for cause in found]
    return _distinct(cut(cause, longest) for cause in found)[:MOST_CAUSES]


def _follow(cause: Cause, hinted: Sequence[Clue], least: float) -> Cause:
    """The cause as the hint that overlaps it most has it, if that is enough."""
    near = max(hinted, key=lambda clue: overlap(_span(cause), _span(clue)), default=None)
    if near is None or overlap(_span(cause), _span(near)) < least:
        return cause
    return Cause(near.quote or "", near.turn, near.observation, near.start, near.end, verified=True)


def _span(words: Cause | Clue) -> Span:
    return Span((words.turn, words.observation), words.start or 0, words.end or 0)


def cue_quotes(sample: Sample, clues: Sequence[Clue], longest: int) -> tuple[Cause, ...]:
    """The clauses around the two likeliest cue words or, where there are none, the whole of a short text."""
    cues = sorted((c for c in clues if c.kind == "cause" and c.chosen), key=lambda c: -(c.score or 0.0))
    texts = {number: turn.text for number, turn in sample.turns().items()}
    found: list[Cause] = []
    for cue in cues:
        text = texts.get(cue.turn) if cue.turn is not None else sample.observations.get(cue.observation or "")
        if text and cue.start is not None and cue.end is not None:
            start, end = clause(text, cue.start, cue.end, min(longest, _MOST_CLAUSE))
            found.append(Cause(text[start:end], cue.turn, cue.observation, start, end, verified=True))
    if not cues and sample.text is not None and 0 < len(sample.text.strip()) <= min(longest, _MOST_CLAUSE):
        start = len(sample.text) - len(sample.text.lstrip())
        words = sample.text.strip()
        found.append(Cause(words, sample.target, None, start, start + len(words), verified=True))
    several = [cause for cause in found if len(cause.quote.split()) > 1]  # a lone "Wow" says little beside a clause
    return _apart(_distinct(several or found[:1]))[:_MOST_CUES]


def clause(text: str, start: int, end: int, longest: int) -> tuple[int, int]:
    """The clause that holds text[start:end], or so many whole words around it as `longest` characters can hold."""
    edges = list(_EDGE.finditer(text))
    first = max((edge.end() for edge in edges if edge.end() <= start), default=0)
    last = min((edge.start() for edge in edges if edge.start() >= end), default=len(text))
    if (joint := _JOINT.match(text, first, start)) is not None:
        first = joint.end()
    words = [word.span() for word in re.finditer(r"\S+", text[first:last])]
    inside = [(first + a, first + b) for a, b in words]
    while len(inside) > 1 and inside[-1][1] - inside[0][0] > longest:
        # the end that is farther from the cue goes
        if start - inside[0][0] >= inside[-1][1] - end:
            inside.pop(0)
        else:
            inside.pop()
    if not inside or inside[0][0] > start or inside[-1][1] < end:
        return start, end
    return inside[0][0], inside[-1][1]


def cut(cause: Cause, longest: int) -> Cause:
    """The cause with as many of its first whole words as `longest` characters can hold."""
    if len(cause.quote) <= longest:
        return cause
    words = cause.quote[:longest]
    if not cause.quote[longest].isspace():
        words = words.rsplit(None, 1)[0]
    words = words.rstrip()
    return Cause(words, cause.turn, cause.observation, cause.start, (cause.start or 0) + len(words), cause.verified)


def tell_quotes(sample: Sample, causes: Sequence[Cause], control_tokens: Sequence[str] = ()) -> tuple[Quote, ...]:
    """Causes as the prompt shows their words, with whose words they are."""
    return tuple(_tell(sample, cause, control_tokens) for cause in causes)


def _tell(sample: Sample, cause: Cause, control_tokens: Sequence[str]) -> Quote:
    words = show(cause.quote, control_tokens)
    if cause.turn is None:
        return Quote(words, cause.observation or "", "seen")
    if cause.turn == sample.target:
        return Quote(words, cause.turn)
    speaker = sample.turns()[cause.turn].speaker
    same = speaker is not None and speaker == sample.speaker
    whose: Whose = "later" if cause.turn > sample.target else "self" if same else "earlier"
    other = show(speaker, control_tokens) if speaker and not same else "the other person"
    return Quote(words, cause.turn, whose, other)


def _distinct(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    """Without repeats of the same words in the same place, and without blank ones."""
    return tuple({(c.turn, c.observation, c.quote): c for c in causes if c.quote.strip()}.values())


def _apart(causes: Sequence[Cause]) -> tuple[Cause, ...]:
    """Without those that overlap an earlier one."""
    kept: list[Cause] = []
    for cause in causes:
        same = (k for k in kept if (k.turn, k.observation) == (cause.turn, cause.observation))
        if all((cause.end or 0) <= (k.start or 0) or (cause.start or 0) >= (k.end or 0) for k in same):
            kept.append(cause)
    return tuple(kept)
