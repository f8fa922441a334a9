"""Which JSON a reply must be: a schema made from a step's reply fields, the labels and the places a quote can have."""

from __future__ import annotations

import functools
import hashlib
import re
from typing import Any

RATINGS = ("valence", "arousal", "dominance")
ANSWERS = ("choice", "intensity", *RATINGS)
"""What a task may ask for instead of emotions: the number of one of the sample's choices (from 1), a degree from 0 to
1, ratings from 1 to 5. A reply's answers are kept in `Explanation.answers`, a choice counted from 0."""

FIELDS = ("observations", "interpretation", "reasoning", "emotions", "causes", "explanation", *ANSWERS)
"""The reply fields there are, in the order in which a reply gives them: reasons before labels."""

# Numbers as text: engines compile a list of decimal fractions to their last binary digit (2.1000000000000001).
_TENTHS = [f"{tenth / 10:.1f}" for tenth in range(11)]
_RATINGS = [f"{tenth / 10:.1f}" for tenth in range(10, 51)]

MOST_EMOTIONS = 3
MOST_CAUSES = 3
MOST_QUOTE = 160  # characters

Place = int | str
"""A turn's number, or an observation's name."""


def _text(longest: int) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": longest}


@functools.lru_cache(maxsize=1024)
def reply_schema(
    fields: tuple[str, ...],
    labels: tuple[str, ...],
    places: tuple[Place, ...],
    max_tokens: int,
    opening: str = "",
    choices: int = 0,
    quotes: tuple[tuple[Place, str], ...] | None = None,
) -> dict[str, Any]:
    """The JSON schema of a reply with these fields, in this order.

    With an `opening` the explanation is one sentence that begins with those words: a very small model
    that is made to say "B feels anger because" goes on with a reason instead of repeating the text.

    With `quotes` (places and words) the causes are these, of several sentences the longest. They are told one by one:
    of a choice among them a small model takes the same one again.

    `labels` empty means open labels. String bounds grow with `max_tokens`, so that a schema-bound
    reply can close before its budget ends (an English token is about four characters). The same
    arguments give the same object: engines cache compiled grammars by it; nobody changes it.
    """
    unit = max(max_tokens, 64) / 256
    label: dict[str, Any] = {"enum": list(labels)} if labels else {"type": "string", "minLength": 2, "maxLength": 24}
    shapes: dict[str, dict[str, Any]] = {
        "reasoning": _text(int(340 * unit)),
        "observations": {
            "type": "array",
            "minItems": 1,
            "maxItems": 3,
            "items": _object(
                observation=_text(int(80 * unit)),
                strength={"enum": ["weak", "moderate", "strong"]},
                emotion=label,
            ),
        },
        "interpretation": _text(int(180 * unit)),
        "emotions": {"type": "array", "minItems": 1, "maxItems": MOST_EMOTIONS, "items": label},
        "causes": _causes(places, min(MOST_QUOTE, int(100 * unit)), quotes),
        "explanation": _sentence(opening, int(28 * unit)) if opening else _text(int(280 * unit)),
        "choice": {"enum": list(range(1, max(choices, 1) + 1))},
        "intensity": {"enum": _TENTHS},
        **{name: {"enum": _RATINGS} for name in RATINGS},
    }
    return _object(**{name: shapes[name] for name in fields})


def _causes(places: tuple[Place, ...], longest: int, quotes: tuple[tuple[Place, str], ...] | None) -> dict[str, Any]:
    if quotes:
        told = [_object(turn={"enum": [place]}, quote={"enum": [_phrase(words, longest)]}) for place, words in quotes]
        return {"type": "array", "minItems": len(told), "maxItems": len(told), "prefixItems": told, "items": False}
    item = _object(turn={"enum": list(places)}, quote=_text(longest))
    return {"type": "array", "minItems": 0, "maxItems": MOST_CAUSES if quotes is None else 0, "items": item}


def _phrase(words: str, longest: int) -> str:
    """What a reply copies of told words: their longest sentence without its mark. Where an explanation is bound to be
    one sentence, repeating that mark would end it."""
    return max(re.split(r"(?<=\w)\s*[.!?]+(?:\s|$)", words), key=len).strip()[:longest]


def _sentence(opening: str, most_words: int) -> dict[str, Any]:
    """One sentence that begins with `opening`, as a pattern (engines mistake a pattern and lengths together).

    Counted in words, of any length: xgrammar 0.2 compiles bounded words more slowly (2.5 s an opening against 1.4 on a
    CPU core), and cannot compile a long repetition of single characters.
    """
    word = r'[^ .!?"\\\n\r\t]+'
    return {
        "type": "string",
        "pattern": rf"^{re.escape(opening).replace(chr(92) + ' ', ' ')}( {word}){{3,{most_words}}}\.$",
    }


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def schema_hash(fields: tuple[str, ...], labels: tuple[str, ...], max_tokens: int) -> str:
    """Names a step's schema for any sample: its fields, labels and lengths, whatever the places of a quote are."""
    return hashlib.sha256(repr(reply_schema(fields, labels, (0,), max_tokens)).encode()).hexdigest()[:16]
