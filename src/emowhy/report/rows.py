"""What a row says: its turns with the telling words marked, and what is out of the ordinary about its answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from emowhy.taxonomy import normalise, place

Segment = tuple[str, bool]
"""A piece of a text, and whether it is marked."""


def branch(label: str) -> str:
    """The primary branch that colours a label ("other" where it has none): never the label's own words."""
    spot = place(label)
    return spot.primary if spot else "other"


def mark(text: str, spans: Iterable[tuple[int, int]]) -> list[Segment]:
    """`text` in pieces, those in `spans` (code points, half-open) marked; spans that meet are one."""
    pieces: list[Segment] = []
    done = 0
    for start, end in merge(spans):
        start, end = max(start, done), min(end, len(text))
        if start < end:
            pieces += [(text[done:start], False), (text[start:end], True)]
            done = end
    return [piece for piece in (*pieces, (text[done:], False)) if piece[0]]


def merge(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, with those that overlap, contain or touch each other as one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


@dataclass(frozen=True, slots=True)
class Line:
    """A turn or an observation (`number` None) as it is shown; `pieces` None says that there is no description."""

    number: int | None
    name: str | None
    target: bool
    pieces: list[Segment] | None


def lines(row: Mapping[str, Any]) -> list[Line]:
    """A row's turns in order, then its observations, with the telling words marked (see `telling`)."""
    sample = row.get("sample") or {}
    spans: dict[int | str, list[tuple[int, int]]] = defaultdict(list)
    for cause in telling(row)[0]:
        where = cause.get("observation") if cause.get("turn") is None else cause["turn"]
        if where is not None and cause.get("start") is not None and cause.get("end") is not None:
            spans[where].append((cause["start"], cause["end"]))
    turns = list(sample.get("context") or ())
    target = len(turns)
    numbered = list(enumerate(turns))
    if sample.get("text") is not None:
        numbered.append((target, sample))
    numbered += enumerate(sample.get("after") or (), target + 1)
    found = [Line(n, turn.get("speaker"), n == target, mark(turn["text"], spans[n])) for n, turn in numbered]
    for name, words in (sample.get("observations") or {}).items():
        found.append(Line(None, name, False, mark(words, spans[name]) if words else None))
    return found


def telling(row: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], bool]:
    """The words that say the emotion, and whether they are the specialists' for want of a verified quote."""
    quoted = [cause for cause in row["causes"] if cause.get("verified")]
    cues = [clue for clue in row["clues"] if clue["kind"] == "cause" and clue.get("chosen")]
    return (quoted, False) if quoted or row["status"] != "ok" else (cues, bool(cues))


def notes(row: Mapping[str, Any]) -> list[str]:
    """What is out of the ordinary about how a row's answer came about."""
    said = []
    if row["parse"] == "lenient":
        said.append("the reply was read leniently")
    if cut := row["cut"]:
        said.append(f"cut to fit the model's context: {cut['turns']} turns and {cut['characters']} characters left out")
    if moved := sum(cause.get("said") is not None for cause in row["causes"]):
        said.append(f"{moved} {'quote stands' if moved == 1 else 'quotes stand'} elsewhere than the reply says")
    if telling(row)[1]:
        said.append("the marked words are the specialists': no quote of the model's stands in the input")
    if row["same_as"] is not None:
        said.append(f"copied from row {row['same_as']}, which has the same content")
    if row["attempts"] > 1:
        said.append(f"{row['attempts']} attempts")
    return said


def right(row: Mapping[str, Any]) -> bool | None:
    """Whether a row's first label is one of its gold labels, as canonical words; None without gold labels.

    Gold without a label asks for an answer without one. A row without an answer is wrong.
    """
    gold = ((row.get("sample") or {}).get("gold") or {}).get("emotions")
    if gold is None:
        return None
    if row["status"] != "ok":
        return False
    said = [normalise(emotion["label"]) for emotion in row["emotions"]]
    return said[0] in map(normalise, gold) if said else not gold
