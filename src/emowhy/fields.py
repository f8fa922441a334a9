"""A row's fields -> `Sample`: what each field may hold, and where the quotes of its gold stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, cast

from emowhy.errors import UsageError, nearest
from emowhy.types import Cause, Gold, Sample, Turn
from emowhy.values import check_values, is_blank, jsonable, kind_of, parse_json


def sample_from(row: Mapping[str, Any], fallback_id: str) -> Sample:
    """The sample that a row (the JSON format, keys named as ours) means; ValueError says plainly why it is none.

    Unknown keys go to `extra`, gold's unknown keys to its `answers`. A blank text beside an observation is None.
    """
    return place_causes(draft(row, fallback_id))


def draft(
    row: Mapping[str, Any], fallback_id: str, more: Callable[[str], Mapping[str, str | None]] = lambda id: {}
) -> Sample:
    """The sample of a row, the causes of its gold not looked up yet; `more`: observations from elsewhere, by id."""
    check_values(row)
    row = fold(row)
    found = {name: check(row[name], name) for name, check in _FIELDS.items() if name in row}
    found["id"] = found.get("id") or fallback_id
    if joined := more(found["id"]):
        inline = found.get("observations", {})
        found["observations"] = {**inline, **joined, **_without_nulls(inline)}
    unknown = {name: value for name, value in row.items() if name not in _FIELDS}
    found["extra"] = jsonable({**found.get("extra", {}), **unknown})
    if (text := found.get("text")) is None or is_blank(text):
        found["text"] = None
        if not any(found.get("observations", {}).values()):
            raise ValueError("neither text nor observation" if text is None else "blank text and no observation")
    return Sample(**found)


def place_causes(sample: Sample) -> Sample:
    """The sample with its gold's causes looked up in it."""
    if sample.gold is None or not sample.gold.causes:
        return sample
    causes = tuple(_found(cause, sample) for cause in sample.gold.causes)
    return replace(sample, gold=replace(sample.gold, causes=causes))


def _found(cause: Cause, sample: Sample) -> Cause:
    """Where the quote stands verbatim: at its start if it has one, else first; if nowhere, it is not verified.

    A cause without a place is looked for in the target, then back through the context, then in the
    observations and in what came after.
    """
    turns = sample.turns()
    places: list[tuple[int | None, str | None]] = [(cause.turn, cause.observation)]
    if places == [(None, None)]:
        back = [number for number in range(sample.target, -1, -1) if number in turns]
        later = [number for number in turns if number > sample.target]
        places = [*((n, None) for n in back), *((None, o) for o in sample.observations), *((n, None) for n in later)]
    for turn, observation in places:
        words = sample.observations.get(observation) if observation is not None else None
        if turn is not None and turn in turns:
            words = turns[turn].text
        if words is None:
            continue
        start = words.find(cause.quote)
        if cause.start is not None and words.startswith(cause.quote, cause.start):
            start = cause.start
        if start >= 0:
            return Cause(cause.quote, turn, observation, start, start + len(cause.quote), verified=True)
    return Cause(cause.quote, cause.turn, cause.observation)


def check_field(name: str) -> None:
    """Raise UsageError for a name that is neither a field's nor, as in `gold.emotions`, that of a field's key."""
    whole, _, part = name.partition(".")
    if not (name in _FIELDS or (whole in _SEVERAL and part)):
        cure = nearest(name, [*_FIELDS, *(f"{key}.NAME" for key in _SEVERAL)])
        raise UsageError(f"rows have no field {name!r}", cure)


def fold(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with its dotted columns (`gold.emotions`) put into the field that they are keys of."""
    folded = dict(row)
    for column in row:
        whole, dot, part = column.partition(".")
        if dot and part and whole in _SEVERAL:
            folded[whole] = {**mapping(folded.get(whole), whole), part: folded.pop(column)}
    return folded


def cell_value(value: Any, name: str) -> Any:
    """What a table's cell means: empty is null; a structured field may be JSON as text, or one item a line."""
    if not isinstance(value, str) or not (name in _FIELDS or name.partition(".")[0] in _SEVERAL):
        return value
    if not value:
        return None
    if name in _STRUCTURED and value.lstrip()[:1] in ("[", "{"):
        try:
            return parse_json(value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return value.removesuffix("\n").replace("\r\n", "\n").split("\n") if name in _LINES else value


# ---------------------------------------------------------------- one field


def _wrong(where: str, expected: str, value: Any) -> ValueError:
    return ValueError(f"{where}: expected {expected}, got {kind_of(value)}")


def _string(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise _wrong(where, "a string", value)
    return value


def _text(value: Any, where: str) -> str | None:
    return None if value is None else _string(value, where)


def name_of(value: Any, where: str) -> str | None:
    """An id or a speaker: a string or an integer; a blank one is none."""
    if isinstance(value, str):
        return None if is_blank(value) else value
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(where, "a string or an integer", value)
    return str(value)


def _list(value: Any, where: str, of: Callable[[Any, str], Any]) -> tuple[Any, ...]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise _wrong(where, "a list", value)
    return tuple(of(item, f"{where}[{place}]") for place, item in enumerate(value))


def mapping(value: Any, where: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _wrong(where, "an object", value)
    return value


def _turn(value: Any, where: str) -> Turn:
    """Blank turns stay, so that the numbering does."""
    if isinstance(value, str):
        return Turn(value)
    if not isinstance(value, Mapping):
        raise _wrong(where, "an object or a string", value)
    return Turn(_string(value.get("text"), f"{where}.text"), name_of(value.get("speaker"), f"{where}.speaker"))


def observations_of(value: Any, where: str) -> dict[str, str | None]:
    """A blank description says the same as none: looked for and missing."""
    found = {name: _text(seen, f"{where}.{name}") for name, seen in mapping(value, where).items()}
    return {name: None if seen is None or is_blank(seen) else seen for name, seen in found.items()}


def _label(value: Any, where: str) -> str:
    if is_blank(_string(value, where)):
        raise ValueError(f"{where}: is blank")
    return cast(str, value)


def _number(value: Any, where: str) -> int | None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise _wrong(where, "an integer from 0", value)
    return value


def _cause(value: Any, where: str) -> Cause:
    """A cause that nobody has looked up: `start` is only what the row says."""
    if isinstance(value, str):
        return Cause(_label(value, where))
    if not isinstance(value, Mapping):
        raise _wrong(where, "an object or a string", value)
    if value.get("turn") is not None and value.get("observation") is not None:
        raise ValueError(f"{where}: stands in a turn or in an observation, not in both")
    return Cause(
        _label(value.get("quote"), f"{where}.quote"),
        turn=_number(value.get("turn"), f"{where}.turn"),
        observation=_text(value.get("observation"), f"{where}.observation"),
        start=_number(value.get("start"), f"{where}.start"),
    )


def _gold(value: Any, where: str) -> Gold | None:
    given = dict(mapping(value, where))
    emotions, causes = (_one_or_more(given.pop(name, None)) for name in ("emotions", "causes"))
    gold = Gold(
        emotions=None if emotions is None else _list(emotions, f"{where}.emotions", _label),
        causes=None if causes is None else _list(causes, f"{where}.causes", _cause),
        explanation=_text(given.pop("explanation", None), f"{where}.explanation"),
        answers=jsonable({**mapping(given.pop("answers", None), f"{where}.answers"), **_without_nulls(given)}),
    )
    return None if gold == Gold() else gold


def _without_nulls(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


_FIELDS: Mapping[str, Callable[[Any, str], Any]] = {
    "id": name_of,
    "text": _text,
    "speaker": name_of,
    "context": partial(_list, of=_turn),
    "after": partial(_list, of=_turn),
    "observations": observations_of,
    "question": name_of,
    "choices": partial(_list, of=_label),
    "gold": _gold,
    "extra": mapping,
}
_LINES = ("context", "after", "choices")  # in a table's cell: JSON, or one a line
_SEVERAL = ("gold", "observations")  # whose keys may be columns of their own: gold.emotions, observations.face
_STRUCTURED = (*_LINES, *_SEVERAL, "gold.emotions", "gold.causes", "extra")
