"""The verbaliser: reasons in plain English from annotations alone, no model asked.

A sentence is a frame with an appraisal (how somebody who feels so sees things) and evidence (the quote, and whose words
it is). What a row gets follows from its own random numbers alone.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from emowhy.schema import Place
from emowhy.taxonomy import normalise
from emowhy.tune.tables import appraisals, degree, frames

Whose = Literal["own", "earlier", "self", "later", "seen"]

_TRIES = 24
_MOST_QUOTED = 14  # words of a quote inside a sentence
_STOPS = '.!?…"“”«»\\'
_LONGEST_WORD = 16
_FIRST = re.compile(r"[^\w“]*\w")


@dataclass(frozen=True, slots=True)
class Quote:
    """Words to quote as the prompt shows them: whose they are, and who `other` is, where it is not the target."""

    words: str
    place: Place
    whose: Whose = "own"
    other: str = "the other person"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a row before anything is written.

    `labels` are to be explained, `candidates` those that the prompt shows, the first first. `unsaid`: annotators found
    that no words state the cause. `answers` holds numbers that a task asks for, `about` what they are about.
    """

    person: str
    labels: tuple[str, ...] = ()
    quotes: tuple[Quote, ...] = ()
    candidates: tuple[str, ...] = ()
    unsaid: bool = False
    answers: Mapping[str, float] | None = None
    about: str = "emotion"

    @property
    def told(self) -> tuple[str, ...]:
        """The labels that can be explained: neutral only where it stands alone."""
        felt = tuple(label for label in self.labels if normalise(label) != "neutral")
        return felt or self.labels


def verbalise(field: str, facts: Facts, shape: Mapping[str, Any], draw: random.Random) -> Any:
    """The value of a reply field that fits its part of the schema.

    Knows `reasoning`, `explanation`, `observations` and `interpretation`. Raises ValueError where nothing that it can
    say is short enough.
    """
    if field == "observations":
        return _observe(facts, shape, draw)
    quotes = (*facts.quotes[:1], *facts.quotes[:2])  # the first, which tells most, twice as often
    for attempt in range(_TRIES):
        # quotes make a sentence long, and so do several labels: the later tries do with less
        quote = draw.choice(quotes) if quotes and attempt < _TRIES * 2 // 3 else None
        some = facts if attempt < _TRIES // 3 else _lone(facts)
        text = _WRITERS[field](some, quote, shape, draw)
        if fits_text(text, shape):
            return text
    raise ValueError(f"no sentence for {field} is short enough")


def fits_text(text: str, shape: Mapping[str, Any]) -> bool:
    """Whether a text keeps to the pattern or the lengths of its schema."""
    if "pattern" in shape:
        return re.search(shape["pattern"], text) is not None
    return int(shape["minLength"]) <= len(text) <= int(shape["maxLength"])


def _lone(facts: Facts) -> Facts:
    return replace(facts, labels=facts.told[:1])


# Texts ----------------------------------------------------------------------------------------------------------


def _explain(facts: Facts, quote: Quote | None, shape: Mapping[str, Any], draw: random.Random) -> str:
    if "pattern" in shape:
        opening = re.sub(r"\\(.)", r"\1", shape["pattern"].split("( ")[0].removeprefix("^"))
        return f"{opening} {_fill(_frame('because', facts, quote, draw), facts, quote, draw, named=False)}."
    return _fill(_frame("explanation", facts, quote, draw), facts, quote, draw)


def _reason(facts: Facts, quote: Quote | None, shape: Mapping[str, Any], draw: random.Random) -> str:
    if facts.answers:
        return _fill(draw.choice(frames("intensity" if "intensity" in facts.answers else "valence")), facts, None, draw)
    notice = f"notice.{quote.whose}" if quote else f"notice.{_without(facts)}"
    uses = (notice, "appraise", _conclusion(facts))
    return " ".join(_fill(draw.choice(frames(use)), facts, quote, draw) for use in uses)


def _interpret(facts: Facts, quote: Quote | None, shape: Mapping[str, Any], draw: random.Random) -> str:
    uses = ("appraise", _conclusion(facts))
    return " ".join(_fill(draw.choice(frames(use)), facts, quote, draw) for use in uses)


_WRITERS = {"explanation": _explain, "reasoning": _reason, "interpretation": _interpret}


def _observe(facts: Facts, shape: Mapping[str, Any], draw: random.Random) -> list[dict[str, str]]:
    """Up to so many observations as the schema takes, each a quote, all pointing to the labels in turn."""
    found = []
    longest = shape["items"]["properties"]["observation"]["maxLength"]
    quotes: Sequence[Quote | None] = facts.quotes[: shape["maxItems"]] or (None,)
    for number, quote in enumerate(quotes):
        use = "plain" if quote is None else quote.whose
        words = [_fill(frame, facts, quote, draw) for frame in frames(f"observation.{use}")]
        short = [text for text in words if len(text) <= longest]
        if not short:
            raise ValueError("no sentence for observations is short enough")
        strength = "strong" if number == 0 and quote else "moderate"
        label = facts.told[number % len(facts.told)]
        found.append({"observation": draw.choice(short), "strength": strength, "emotion": label})
    return found


def _without(facts: Facts) -> str:
    """Which sentences serve where nothing is quoted."""
    if all(normalise(label) == "neutral" for label in facts.labels):
        return "neutral"
    return "latent" if facts.unsaid else "plain"


def _frame(use: str, facts: Facts, quote: Quote | None, draw: random.Random) -> str:
    return draw.choice(frames(f"{use}.{'quote' if quote else _without(facts)}"))


def _conclusion(facts: Facts) -> str:
    """How the labels stand to the candidates that the prompt shows."""
    if not facts.candidates:
        return "conclude.none"
    if facts.candidates[0] in facts.told:
        return "conclude.first"
    return "conclude.other" if set(facts.told) & set(facts.candidates) else "conclude.outside"


# Slots ----------------------------------------------------------------------------------------------------------


def _fill(frame: str, facts: Facts, quote: Quote | None, draw: random.Random, named: bool = True) -> str:
    """A frame with its slots filled; a slot with a capital begins a sentence."""
    values = {
        "person": facts.person,
        "labels": _list(facts.told),
        "noun": _list([normalise(label) for label in facts.told or (facts.about,)]),
        "top": next(iter(facts.candidates), ""),
        **{name: degree(name, value) for name, value in (facts.answers or {}).items()},
    }
    values["appraisal"], values["named"] = _appraise(facts, draw)
    if not named:
        values["named"] = values["appraisal"]
    if quote is not None:
        quoted = {"quote": f"“{tame(quote.words)}”", "other": quote.other, "place": str(quote.place)}
        values |= quoted
        values["evidence"] = draw.choice(frames(f"evidence.{quote.whose}")).format(**quoted)
    return frame.format(**values, **{name.capitalize(): _capital(words) for name, words in values.items()})


def _appraise(facts: Facts, draw: random.Random) -> tuple[str, str]:
    """An appraisal a label, joined: with pronouns, and with the person named where they come first."""
    chosen = [draw.choice(appraisals(label)) for label in facts.told[:2]]
    pronouns = {"they": "they", "them": "them", "their": "their"}
    plain = [words.format(**pronouns) for words in chosen]
    person = facts.person
    whose = f"{person}'" if person.endswith("s") else f"{person}'s"
    first = [words.format(they=person, them=person, their=whose) for words in chosen[:1]]
    return _joined(plain), _joined(first + plain[1:])


def _joined(clauses: Sequence[str]) -> str:
    return ", and at the same time ".join(clauses)


def _list(words: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    words = list(dict.fromkeys(words))
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _capital(text: str) -> str:
    """With a capital first letter; a text that begins with a quote keeps its words."""
    found = _FIRST.match(text)
    return text if found is None else text[: found.end() - 1] + text[found.end() - 1].upper() + text[found.end() :]


def tame(quote: str, most: int = _MOST_QUOTED) -> str:
    """The longest run of at most so many whole words of a quote that a sentence can hold: no stop, no quotation mark
    and no word of more than 16 letters inside; the quote itself where there is none."""
    runs: list[list[str]] = [[]]
    for word in quote.split():
        inner = word.strip(_STOPS)
        fits = 0 < len(inner) <= _LONGEST_WORD and not set(inner) & set(_STOPS)
        if not fits or not word.startswith(inner):
            runs.append([])
        if fits:
            runs[-1].append(inner)
        if not fits or not word.endswith(inner):
            runs.append([])
    best = max(runs, key=lambda run: min(len(run), most))
    return " ".join(best[:most]).strip(",;:- ") or quote
