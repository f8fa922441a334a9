"""What annotators say of a sample, in the shape of a reply: labels, quotes, numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emowhy.schema import MOST_EMOTIONS, RATINGS, reply_schema
from emowhy.taxonomy import Taxonomy, normalise
from emowhy.tune.quotes import cue_quotes, gold_quotes
from emowhy.types import Cause, Clue, Sample


class Unusable(ValueError):
    """Why no row can be made of a sample; the reason is short, and counted."""


@dataclass(frozen=True, slots=True)
class Gold:
    """Labels, the likeliest first and neutral last; quotes; whether no words state the cause; numbers by name."""

    labels: tuple[str, ...]
    causes: tuple[Cause, ...]
    unsaid: bool
    answers: Mapping[str, Any]


def emotion_clues(labels: Sequence[str]) -> list[Clue]:
    """Labels as a specialist would tell them that is never wrong."""
    return [Clue("emotion", "annotation", label, score=1.0, chosen=True) for label in labels]


def cause_clues(causes: Sequence[Cause]) -> list[Clue]:
    """Quotes likewise."""
    return [
        Clue("cause", "annotation", None, None, c.quote, c.turn, c.observation, c.start, c.end, 1.0, True)
        for c in causes
    ]


def read_gold(
    sample: Sample, clues: Sequence[Clue], taxonomy: Taxonomy, reply_tokens: int, follow: float | None = None
) -> Gold:
    """The gold of a sample; where nobody annotated causes, the clauses around the specialists' cue words.

    `follow` is how much an annotated quote overlaps a specialist's to be given as that has it (None: never).

    Raises Unusable for labels that no reply can name, or quotes that stand nowhere.
    """
    told = sample.gold
    said = (told.emotions if told else None) or ()
    if taxonomy.labels and not set(said) <= set(taxonomy.labels):
        raise Unusable("a gold label outside the label set")
    if len(said) > MOST_EMOTIONS:
        raise Unusable("more gold labels than a reply can hold")
    likely = {c.label: c.score or 0.0 for c in reversed(clues) if c.kind == "emotion"}
    # what is felt goes before "neutral", which says only that it is felt faintly
    labels = tuple(sorted(said, key=lambda label: (normalise(label) == "neutral", -likely.get(label, 0.0))))
    felt = any(normalise(label) != "neutral" for label in labels)
    longest = _longest_quote(reply_tokens)
    causes = gold_quotes(sample, longest, clues, follow)
    if causes == () and told and told.causes:
        raise Unusable("no gold quote is verbatim")
    if causes is None:
        found = cue_quotes(sample, clues, longest) if felt else ()
        return Gold(labels, found, False, dict(told.answers) if told else {})
    return Gold(labels, causes, felt and not causes, dict(told.answers) if told else {})


def serves(task: str, sample: Sample, gold: Gold) -> bool:
    """Whether the annotations answer what a task asks."""
    if task == "choice":
        return "choice" in gold.answers and bool(sample.choices)
    if task == "intensity":
        return "intensity" in gold.answers
    if task == "valence":
        return any(name in gold.answers for name in RATINGS)
    return bool(gold.labels) and (task in ("explain", "answer") or bool(gold.causes))


def _longest_quote(reply_tokens: int) -> int:
    """The characters of a quote that the schema of a reply takes."""
    shape = reply_schema(("causes",), (), (0,), reply_tokens)["properties"]["causes"]["items"]
    return int(shape["properties"]["quote"]["maxLength"])
