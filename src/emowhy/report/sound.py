"""Rows as they should be: what has not the documented shape is set aside and named, and the rest is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import NoneType
from typing import Any

Check = Callable[[Any], bool]
"""Whether a value has a shape."""

Types = type | tuple[type, ...]

_NUMBER = (int, float)
_TEXT = (str, NoneType)
_SCORE = (int, float, NoneType)
_PLACE: dict[str, Types] = {
    "turn": (int, NoneType),
    "observation": _TEXT,
    "start": (int, NoneType),
    "end": (int, NoneType),
}


def _is(types: Types) -> Check:
    return lambda value: isinstance(value, types)


def _record(**fields: Types) -> Check:
    """A dictionary whose known keys hold such values; a missing one counts as None."""
    known = tuple(fields.items())

    def fits(value: Any) -> bool:
        if not isinstance(value, dict):
            return False
        for name, types in known:  # noqa: SIM110 - a plain loop is faster, and this runs for every clue of every row
            if not isinstance(value.get(name), types):
                return False
        return True

    return fits


def _list(fits: Check) -> Check:
    return lambda value: isinstance(value, list | tuple) and all(map(fits, value))


def _or_none(fits: Check) -> Check:
    return lambda value: value is None or fits(value)


_CAUSES = _list(_record(quote=str, **_PLACE))
_CLUE = _record(kind=str, source=_TEXT, label=_TEXT, value=_SCORE, quote=_TEXT, score=_SCORE, **_PLACE)
_TURNS = _list(_record(text=str, speaker=_TEXT))

# A field's shape, and what stands in for one that is missing or has another.
_ROW: dict[str, tuple[Check, Any]] = {
    "id": (_is(str), "(no id)"),
    "status": (_is(str), "ok"),
    "emotions": (_list(_record(label=str, score=_SCORE)), ()),
    "causes": (_CAUSES, ()),
    **dict.fromkeys(
        ("reasoning", "explanation", "score_source", "parse", "error", "same_as", "arm", "name"), (_is(_TEXT), None)
    ),
    **dict.fromkeys(("answers", "extra", "groups"), (_is(dict), {})),
    **dict.fromkeys(("scores", "other"), (_is((dict, NoneType)), None)),
    "clues": (_list(_CLUE), ()),
    "cut": (_or_none(_record(turns=int, characters=int)), None),
    "steps": (_list(_record(raw=str, name=_TEXT, thinking=_TEXT, finish_reason=_TEXT)), ()),
    "usage": (_record(prompt=_NUMBER, completion=_NUMBER), {"prompt": 0, "completion": 0}),
    "seconds": (_is(_NUMBER), 0.0),
    "attempts": (_is(_NUMBER), 1),
    "right": (_is((bool, NoneType)), None),
    "faults": (_list(_is(str)), ()),
}
_SAMPLE: dict[str, tuple[Check, Any]] = {
    **dict.fromkeys(("text", "speaker", "question"), (_is(_TEXT), None)),
    **dict.fromkeys(("context", "after"), (_TURNS, ())),
    "choices": (_list(_is(str)), ()),
}
_GOLD: dict[str, tuple[Check, Any]] = {
    "emotions": (_or_none(_list(_is(str))), None),
    "causes": (_or_none(_CAUSES), None),
    "explanation": (_is(_TEXT), None),
}


def sound(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row whose every field has the shape that `emowhy.rows` documents (and its `sample`, always there, too).

    `faults` names the fields that were set aside, those of the sample as `sample.NAME`; a missing one is no fault.
    """
    made, faults = _mended(row, _ROW, "")
    faults = [*made["faults"], *faults]  # of a row that was here before
    given = row.get("sample")
    sample, more = _mended(given if isinstance(given, dict) else {}, _SAMPLE, "sample.")
    seen = sample.get("observations")
    sample["observations"] = {
        name: words for name, words in (seen if isinstance(seen, dict) else {}).items() if isinstance(words, _TEXT)
    }
    gold = sample.get("gold")
    sample["gold"], most = _mended(gold, _GOLD, "gold.") if isinstance(gold, dict) else (None, [])
    faults += more + most
    faults += ["sample"] if not isinstance(given, dict | NoneType) else []
    faults += ["sample.gold"] if not isinstance(gold, dict | NoneType) else []
    faults += ["sample.observations"] if (seen or {}) != sample["observations"] else []
    return {**made, "sample": sample, "faults": faults}


def _mended(
    fields: Mapping[str, Any], shapes: Mapping[str, tuple[Check, Any]], prefix: str
) -> tuple[dict[str, Any], list[str]]:
    made = dict(fields)
    faults = []
    for name, (fits, empty) in shapes.items():
        if name not in made:
            made[name] = empty
        elif not fits(made[name]):
            made[name] = empty
            faults.append(f"{prefix}{name}")
    return made, faults
