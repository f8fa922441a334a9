"""Edits that probe an answer: its quotes taken out or left alone, other words in their stead, hints made wrong."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from emowhy.bench.metrics.spans import Span
from emowhy.bench.probe_spans import find_elsewhere, find_spans, find_texts
from emowhy.schema import Place
from emowhy.taxonomy import find_taxonomy, normalise, place
from emowhy.types import Clue, Sample, Turn

MASK = "…"
"""Stands where words were masked, and in a turn or observation that has nothing left. A tokenizer's own unknown token
would not do: prompts break up control tokens in a sample's words."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A row as a probe asks it: `clues` are those of the row as it was, as far as their words are left.

    Where the hints are what was edited, `label` or `spans` are what they wrongly say.
    """

    sample: Sample
    clues: tuple[Clue, ...] = ()
    label: str | None = None
    spans: tuple[Span, ...] = ()


# Words taken out, or left alone ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is left of a text. `pieces` are (start, end) in the old text and the start in the new one."""

    text: str
    pieces: tuple[tuple[int, int, int], ...]


def delete_spans(sample: Sample, spans: Sequence[Span], mask: bool = False, clues: Sequence[Clue] = ()) -> Edit:
    """The sample without the words of disjoint spans or, with `mask`, a mask for each. Without its gold."""
    texts = find_texts(sample)
    left: dict[Place, _Kept] = {}
    for where in texts:
        cuts = sorted((span.start, span.end) for span in spans if span.place == where)
        if cuts:
            edges = [0, *(edge for cut in cuts for edge in cut), len(texts[where])]
            pieces = list(zip(edges[::2], edges[1::2], strict=True))
            left[where] = _keep(texts[where], pieces, MASK) if mask else _keep(texts[where], pieces)
    return _edited(sample, left, clues)


def keep_spans(sample: Sample, spans: Sequence[Span], mask: bool = False, clues: Sequence[Clue] = ()) -> Edit:
    """The sample with the words of disjoint spans alone, in their turns and observations. Without its gold."""
    left: dict[Place, _Kept] = {}
    for where, text in find_texts(sample).items():
        pieces = sorted((span.start, span.end) for span in spans if span.place == where)
        left[where] = _keep(text, pieces, f" {MASK} " if mask else " ")
    return _edited(sample, left, clues)


def _keep(text: str, pieces: Sequence[tuple[int, int]], joint: str | None = None) -> _Kept:
    """The pieces joined; without a `joint`, trimmed and with a space only where there was one beside the cut."""
    made = ""
    kept: list[tuple[int, int, int]] = []
    for start, end in pieces:
        if joint is None:
            start, end = _trimmed(text, start, end)
            if start == end:
                continue
        if kept:
            gap = text[kept[-1][1] : start]
            spaced = gap[:1].isspace() or gap[-1:].isspace()
            made += joint if joint is not None else " " if spaced else ""
        kept.append((start, end, len(made)))
        made += text[start:end]
    return _Kept(made, tuple(kept)) if made.strip() else _Kept(MASK, ())


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    return start, max(start, start + len(piece.strip()))


def _edited(sample: Sample, left: Mapping[Place, _Kept], clues: Sequence[Clue]) -> Edit:
    def tell(turn: Turn, number: int) -> Turn:
        return replace(turn, text=left[number].text) if number in left else turn

    edited = replace(
        sample,
        text=left[sample.target].text if sample.text is not None and sample.target in left else sample.text,
        context=tuple(tell(turn, number) for number, turn in enumerate(sample.context)),
        after=tuple(tell(turn, sample.target + 1 + i) for i, turn in enumerate(sample.after)),
        observations={name: left[name].text if name in left else words for name, words in sample.observations.items()},
        gold=None,
    )
    moved = (_moved(clue, left) for clue in clues)
    return Edit(edited, tuple(clue for clue in moved if clue is not None))


def _moved(clue: Clue, left: Mapping[Place, _Kept]) -> Clue | None:
    """A clue where its words stand now; None where not all of them are left, for it would tell what was taken out."""
    where = clue.place
    if clue.quote is None or where is None or where not in left:
        return clue
    for start, end, now in left[where].pieces:
        if clue.start is not None and clue.end is not None and start <= clue.start and clue.end <= end:
            return replace(clue, start=clue.start - start + now, end=clue.end - start + now)
    return None


# Hints made wrong -----------------------------------------------------------------------------------------------


def mislead_label(
    sample: Sample, clues: Sequence[Clue], labels: Sequence[str], right: Iterable[str], draw: random.Random
) -> Edit | None:
    """The likeliest emotion clue with a label, drawn from `labels` (none: open), of another primary branch than its own
    and those of the `right` labels; its score is kept. None where there is no such clue or label."""
    told = [c for c in clues if c.kind == "emotion" and c.label and (not labels or c.label in labels)]
    if not told:
        return None
    top = max(told, key=lambda clue: clue.score or 0.0).label or ""
    barred = {_branch("neutral"), _branch(top), *map(_branch, right)}
    wrong = [label for label in labels or find_taxonomy("goemotions").labels if _branch(label) not in barred]
    if not wrong:
        return None
    label = draw.choice(wrong)
    others = [c for c in clues if c.kind != "emotion" or c.label != label]  # no label is told twice
    edited = tuple(replace(c, label=label) if c.kind == "emotion" and c.label == top else c for c in others)
    return Edit(replace(sample, gold=None), edited, label=label)


def _branch(label: str) -> str:
    found = place(label)
    return found.primary if found is not None else normalise(label)


def find_cues(clues: Sequence[Clue]) -> list[Clue]:
    """The clues whose words a prompt shows as telling."""
    return [clue for clue in clues if clue.kind == "cause" and clue.chosen and clue.quote]


def mislead_cues(sample: Sample, clues: Sequence[Clue], avoid: Sequence[Span], draw: random.Random) -> Edit | None:
    """The telling words replaced by as many others of their turn, none of them in `avoid`. None without room."""
    cues = find_cues(clues)
    spans = find_spans(cues, sample)
    runs = find_elsewhere(sample, spans, draw, avoid) if len(spans) == len(cues) else None
    if not runs:
        return None
    texts = find_texts(sample)
    moved = iter(runs)

    def shift(clue: Clue) -> Clue:
        run = next(moved)
        return replace(clue, quote=texts[run.place][run.start : run.end], start=run.start, end=run.end)  # type: ignore[index]

    edited = tuple(shift(clue) if clue in cues else clue for clue in clues)
    return Edit(replace(sample, gold=None), edited, spans=runs)
