"""The reply that a row teaches, field by field, and whose words it is made of."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from emowhy.schema import ANSWERS
from emowhy.shown import show
from emowhy.tune.asking import Draft
from emowhy.tune.draws import draw_of
from emowhy.tune.gold import Unusable
from emowhy.tune.verbaliser import fits_text, verbalise

Source = Literal["verbaliser", "engine", "annotation"]
WRITTEN = ("observations", "interpretation", "reasoning", "explanation")
"""The fields that somebody has to write; annotations hold the others."""


@dataclass(frozen=True, slots=True)
class Written:
    """A reply as the model is to write it, the values in it, and who wrote its reasons.

    `reasons` is what a reader must understand: the explanation, where annotators wrote that or there is none the
    reasoning, where an engine wrote them both, else nothing.
    """

    text: str
    values: Mapping[str, Any]
    source: Source
    reasons: str | None = None


def write_reply(draft: Draft, texts: Mapping[str, str], seed: int, variant: int = 0) -> Written:
    """The reply to a draft: gold labels, quotes and numbers, and reasons; the verbaliser words each `variant` anew.

    `texts` are an engine's `reasoning` and `explanation`, if it wrote any. An explanation that annotators wrote goes
    first, then the engine's, then the verbaliser's, each only where it fits. Raises Unusable where none does.
    """
    properties = (draft.chat.schema or {})["properties"]
    draw = draw_of(seed, "write", draft.id, *([str(variant)] if variant else []))
    values: dict[str, Any] = {}
    sources: dict[str, Source] = {}
    for field in draft.fields:
        if field not in WRITTEN:
            values[field] = _annotated(draft, field)
            continue
        written: tuple[tuple[Source, str | None], ...] = (
            ("annotation", _told(draft, field)),
            ("engine", texts.get(field)),
        )
        known = [(who, said) for who, said in written if said and fits_text(said, properties[field])]
        if known:
            sources[field], values[field] = known[0]
            continue
        try:
            sources[field], values[field] = "verbaliser", verbalise(field, draft.facts, properties[field], draw)
        except ValueError as error:
            raise Unusable(str(error)) from None
    text = json.dumps(values, ensure_ascii=False)  # with the spaces that engines write when bound to the schema
    return Written(text, values, _first(sources.values()), _judged(values, sources))


def _judged(values: Mapping[str, Any], sources: Mapping[str, Source]) -> str | None:
    """What a reader must understand. An engine may argue one thing and explain another, so both of its texts."""
    fields = [field for field in ("explanation", "reasoning") if sources.get(field, "annotation") != "annotation"]
    by_engine = [values[field] for field in fields if sources[field] == "engine"]
    return " ".join(by_engine) or (values[fields[0]] if fields else None)


def _annotated(draft: Draft, field: str) -> Any:
    if field == "emotions":
        return list(draft.facts.labels)
    if field == "causes":
        return [{"turn": quote.place, "quote": quote.words} for quote in draft.facts.quotes]
    if field in ANSWERS:
        return draft.answers[field] if field == "choice" else f"{draft.answers[field]:.1f}"
    raise Unusable(f"no annotation for the reply field {field}")


def _told(draft: Draft, field: str) -> str | None:
    """The explanation that annotators wrote, where the reply explains just what they did."""
    gold = draft.sample.gold
    if field != "explanation" or gold is None or not gold.explanation:
        return None
    whole = set(draft.facts.labels) == set(gold.emotions or ())
    return show(gold.explanation) if whole else None


def _first(sources: Collection[Source]) -> Source:
    """A model's part in it is always told, then the verbaliser's."""
    return "engine" if "engine" in sources else "verbaliser" if "verbaliser" in sources else "annotation"
