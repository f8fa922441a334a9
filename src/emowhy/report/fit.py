"""Cards in as many bytes as there is room for: long texts are cut in their middle, long lists at their end."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_ACTING = {character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
_LONGEST_LABEL = 80
_CUT = " […shortened here…] "


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a row is carried: characters of a text, of a raw reply, and items of a list."""

    text: int
    raw: int
    items: int


LIMITS = (Limits(6000, 2000, 400), Limits(1500, 600, 60), Limits(400, 150, 20), Limits(100, 60, 8))
"""From the usual to the tightest; a row that is still too long is only named."""


def shorten(text: str, most: int) -> str:
    """A text of at most `most` characters (no fewer than 40): what is too much is taken from its middle, and said."""
    if len(text) <= most:
        return text
    room = most - len(_CUT)
    return text[: room - room // 4] + _CUT + text[len(text) - room // 4 :]


def short_label(label: str) -> str:
    """A label, or another name, that fits a line."""
    return label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…"


def cut(made: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """A card within the limits; `short` says that something was left out of it."""
    longest = {"steps": limits.raw}
    found = {name: _cut(value, longest.get(name, limits.text), limits.items) for name, value in made.items()}
    return found if found == made else {**found, "short": 1}


def _cut(value: Any, text: int, items: int) -> Any:
    if isinstance(value, str):
        return shorten(value, text)
    if isinstance(value, list):
        return [_cut(item, text, items) for item in value[:items]]
    if isinstance(value, dict):
        return {short_label(name): _cut(inner, text, items) for name, inner in list(value.items())[:items]}
    return value


def dump(made: Any) -> bytes:
    """JSON in UTF-8 that can stand in an HTML element: without "<", ">", "&" and line separators."""
    text = json.dumps(made, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character, escaped in _ACTING.items():
        text = text.replace(character, escaped)
    return text.encode()


def fit(cards: Sequence[bytes], budget: int) -> Iterator[bytes]:
    """Cards that together take at most `budget` bytes: each may take an even share of what is left, or is cut."""
    for number, text in enumerate(cards):
        share = budget // (len(cards) - number)
        shown = text if len(text) <= share else _squeezed(text, share)
        budget -= len(shown)
        yield shown


def _squeezed(text: bytes, most: int) -> bytes:
    made = json.loads(text)
    for limits in LIMITS[1:]:
        if len(shorter := dump(cut(made, limits))) <= most:
            return shorter
    named = {"id": short_label(made["id"]), "status": made.get("status"), "right": made.get("right"), "short": 1}
    return dump({name: value for name, value in named.items() if value is not None})


def joined(cards: Iterable[bytes]) -> Iterator[str]:
    """Cards as the pieces of one JSON list, a line each."""
    before = "["
    for text in cards:
        yield before + text.decode()
        before = ",\n"
    yield "[]" if before == "[" else "]"
