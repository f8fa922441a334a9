"""What a judge's reply must be, and what it says: a score, words, a mark for each clue."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

MARKS = ("supported", "contradicted", "absent")

_SCALE = re.compile(
    r"\b[01]\s*(?:-|–|—|to|and)\s*10(?![.,]?\d)|\b10[- ]points?\b|(?:/|out of)\s*10(?![.,]?\d)", re.IGNORECASE
)
_NUMBER = r"(?<![A-Za-z0-9_.,])(-?\d+(?:\.\d+)?)(?![A-Za-z0-9_%]|[.,]\d)"
_NAMED = re.compile(
    rf"(?:score|rating)[\s:=*\"'()]{{0,8}}(?:(?:is|of|as|at|would be)[\s:*\"']{{1,4}})?{_NUMBER}", re.IGNORECASE
)


def _text(longest: int) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": longest}


def _object(**properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


SCORE_SCHEMA = _object(reason=_text(400), score={"enum": list(range(1, 11))})
WORDS_SCHEMA = _object(
    reason=_text(160),
    emotions={
        "type": "array",
        "minItems": 0,
        "maxItems": 8,
        "items": {"type": "string", "minLength": 2, "maxLength": 24},
    },
)


@functools.lru_cache(maxsize=64)
def marks_schema(count: int) -> dict[str, Any]:
    """For each of `count` clues, by its number from 1: a reason, then a mark."""
    mark = _object(reason=_text(160), verdict={"enum": list(MARKS)})
    return _object(**{str(number): mark for number in range(1, count + 1)})


def read_score(text: str) -> tuple[float, str]:
    """The score of a reply (1 to 10) and its reason.

    It is the field `score`. In prose it is the number that is called score or rating, else the only number;
    those that only name the scale ("1-10", "out of 10") are none. Several, or one out of range: ValueError.
    """
    answer = _last_object(text)
    said = text if answer is None else str(answer.get("score", ""))
    plain = _SCALE.sub(" ", said)
    numbers = {float(number) for number in _NAMED.findall(plain) or re.findall(_NUMBER, plain)}
    if len(numbers) != 1:
        raise ValueError(
            "it gives no score" if not numbers else "it gives several numbers and does not say which is the score"
        )
    (score,) = numbers
    if not 1 <= score <= 10:
        raise ValueError(f"its score {score:g} is not from 1 to 10")
    return score, _reason(answer, text)


def read_words(text: str) -> tuple[list[str], str]:
    """The emotion words of a reply, casefolded, without repeats; "none" is no word. Prose is a ValueError."""
    answer = _last_object(text)
    said = _mend(text[text.find("[") : text.rfind("]") + 1]) if answer is None else answer.get("emotions")
    if not isinstance(said, list) or not all(isinstance(word, str) for word in said):
        raise ValueError("it has no list of emotions")
    words = list(dict.fromkeys(filter(None, (word.strip().casefold() for word in said))))
    if any(len(word) > 40 for word in words):
        raise ValueError("its list of emotions holds more than words")
    return [word for word in words if word != "none"], _reason(answer, "")


def read_marks(text: str, side: str, start: int, count: int) -> tuple[dict[str, list[str]], str]:
    """The marks of `count` clues of one side, and their reasons a line each, the clues numbered from `start` + 1."""
    answer = _last_object(text) or {}
    marks, reasons = [], []
    for number in range(1, count + 1):
        said = answer.get(str(number))
        mark = said.get("verdict") if isinstance(said, dict) else said
        mark = mark.strip().casefold() if isinstance(mark, str) else mark
        if mark not in MARKS:
            raise ValueError(f"it has no verdict on statement {number}")
        marks.append(mark)
        reasons.append(f"{side} {start + number} {mark}: {_reason(said, '')}")
    return {side: marks}, "\n".join(reasons)


def _reason(answer: Any, otherwise: str) -> str:
    reason = answer.get("reason") if isinstance(answer, dict) else otherwise
    return reason.strip() if isinstance(reason, str) else ""


def _last_object(text: str) -> dict[str, Any] | None:
    """The JSON object that the text is or holds (the last), small faults mended."""
    found = _mend(text[text.find("{") : text.rfind("}") + 1 or None]) if "{" in text else None
    objects = [part for part in (found if isinstance(found, list) else [found]) if isinstance(part, dict) and part]
    return objects[-1] if objects else None


def _mend(text: str) -> Any:
    import json_repair

    try:
        return json_repair.loads(text, skip_json_loads=False)
    except (ValueError, RecursionError):
        return None
