"""Rows as a page carries them: compact JSON that no browser can take for anything but data, cut to a length."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from emowhy.report.fit import LIMITS, cut, dump, short_label
from emowhy.report.rows import branch, lines, notes
from emowhy.report.sound import sound
from emowhy.taxonomy import normalise

Labels = dict[str, tuple[str, str]]
"""Labels that have a branch: label -> (branch, canonical word)."""

# Control characters and lone surrogates, and what turns the direction of the text that follows it.
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_OWN_GOLD = ("emotions", "causes", "explanation")


def card(row: Mapping[str, Any], known: Labels) -> bytes:
    """A row as JSON (UTF-8) for the page: only what there is to show, as it is to be shown.

    Labels that have a branch are noted in `known`. The text holds no "<", ">", "&" and no line separator, so that
    an element it stands in cannot be ended by it.
    """
    whole = sound(row)
    other = whole["other"]
    made = {
        "id": whole["id"] or "(no id)",  # also of an empty one, which the page could not name
        "lines": [[line.number, line.name, int(line.target), _pieces(line.pieces)] for line in lines(whole)],
        "question": whole["sample"]["question"],
        "choices": whole["sample"]["choices"],
        **_answer(whole),
        "gold": _gold(whole),
        "extra": {name: plain(value) for name, value in whole["extra"].items()},
        "groups": {name: plain(value) for name, value in whole["groups"].items()},
        "arm": whole["arm"],
        "other": None if other is None else _other(other),
    }
    kept = _without_empty(made)
    if made["gold"] is not None and made["gold"]["emotions"] == []:
        kept.setdefault("gold", {})["emotions"] = []  # an answer ("none"), not a gap
    shown = _clean(cut(kept, LIMITS[0]))  # cut first: a picture of a character is longer than it
    _note_labels(shown, known)
    return dump(shown)


def _answer(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a system said of a row, and how that came about."""
    usage = row["usage"]
    return {
        "status": None if row["status"] == "ok" else row["status"],
        "emotions": [[short_label(e["label"]), _rounded(e.get("score"))] for e in row["emotions"]],
        "causes": [[cause["quote"], _where(cause), int(bool(cause.get("verified")))] for cause in row["causes"]],
        "reasoning": row["reasoning"] if row["reasoning"] != row["explanation"] else None,
        "explanation": row["explanation"],
        "source": row["score_source"],
        "answers": {name: _chosen(name, value, row) for name, value in row["answers"].items()},
        "clues": [_clue(clue) for clue in row["clues"]],
        "error": row["error"],
        "notes": [*notes(row), *(f"could not be read and is left out: {name}" for name in row["faults"])],
        "steps": [
            [
                step.get("name"),
                step.get("finish_reason"),
                *_tokens(step.get("usage")),
                step["raw"],
                step.get("thinking") or "",
            ]
            for step in row["steps"]
        ],
        "tokens": [usage["prompt"], usage["completion"]] if any(usage.values()) else None,
        "seconds": _rounded(row["seconds"]) or None,
        "right": row["right"],
        "scores": {name: _rounded(value) for name, value in (row["scores"] or {}).items()},
    }


def _other(row: Mapping[str, Any]) -> dict[str, Any]:
    """Another system's answer; its clues are the same, and the marks are not its."""
    return {**_answer(sound({**row, "clues": []})), "name": plain(row.get("name") or "other")}


def _gold(row: Mapping[str, Any]) -> dict[str, Any] | None:
    gold = row["sample"]["gold"]
    if gold is None:
        return None
    answers = {name: _chosen(name, value, row) for name, value in gold.items() if name not in _OWN_GOLD}
    return {
        "emotions": None if gold["emotions"] is None else [short_label(label) for label in gold["emotions"]],
        "causes": [[cause["quote"], _where(cause)] for cause in gold["causes"] or ()],
        "explanation": gold["explanation"],
        "answers": answers,
    }


def _clue(clue: Mapping[str, Any]) -> list[Any]:
    words = clue.get("quote")
    value = clue.get("value")
    return [
        clue["kind"], None if clue.get("label") is None else short_label(clue["label"]), words, _where(clue),
        _rounded(value), _rounded(clue.get("score")), int(bool(clue.get("chosen"))), clue.get("source"),
    ]  # fmt: skip


def _where(found: Mapping[str, Any]) -> int | str | None:
    return found.get("observation") if found.get("turn") is None else found["turn"]


def _chosen(name: str, value: Any, row: Mapping[str, Any]) -> str:
    """An answer in words; the number of a choice (counted from 0) with the choice itself."""
    choices = (row.get("sample") or {}).get("choices") or ()
    if name == "choice" and type(value) is int and 0 <= value < len(choices):
        return f"{value}: {choices[value]}"
    return plain(value)


def _tokens(usage: Any) -> tuple[Any, Any]:
    usage = usage if isinstance(usage, Mapping) else {}
    return _rounded(usage.get("prompt")), _rounded(usage.get("completion"))


def _pieces(segments: Sequence[tuple[str, bool]] | None) -> list[str] | None:
    """A marked text as pieces of which every second is marked, the first never."""
    if segments is None:
        return None
    pieces: list[str] = []
    for text, marked in segments:
        pieces += [""] * ((len(pieces) % 2 == 1) != marked)
        pieces.append(text)
    return pieces


def _rounded(value: Any) -> float | int | None:
    """A number with four places; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value if isinstance(value, int) else round(value, 4)


def plain(value: Any) -> str:
    """A value of JSON as words."""
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def visible(text: str) -> str:
    """A text in which nothing acts and nothing hides: control characters as pictures, direction marks by number."""
    return _UNSEEN.sub(_picture, text)


def _picture(found: re.Match[str]) -> str:
    character = found[0]
    if character < " ":
        return chr(0x2400 + ord(character))
    return f"[U+{ord(character):04X}]" if "\u2000" <= character < "\ud800" else "\ufffd"


def _without_empty(made: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: _without_empty(value) if isinstance(value, dict) else value for name, value in made.items()}
    return {name: value for name, value in kept.items() if value is not None and value not in ("", [], (), {})}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {visible(name): _clean(inner) for name, inner in value.items()}
    return [_clean(item) for item in value] if isinstance(value, list | tuple) else value


def _note_labels(made: Mapping[str, Any], known: Labels) -> None:
    said = [label for answer in (made, made.get("other", {})) for label, _ in answer.get("emotions", ())]
    weighed = [clue[1] for clue in made.get("clues", ()) if clue[1] is not None]
    for label in (*said, *made.get("gold", {}).get("emotions", ()), *weighed):
        if label not in known and (kind := branch(label)) != "other":
            known[label] = kind, normalise(label)
