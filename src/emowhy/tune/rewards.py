"""What a sampled reply earns: its parts, each checked against the row and none of them judged by a language model.

Label overlap and format are the pair that pays best, and a list padded with labels is the way in which it is cheated
(R1-Omni, 2503.05379; AffectGPT-R1). So a label beyond the gold's number earns nothing here, costs precision, and is
counted as length however many of them the parser reads; and a format is kept by filling it in, not by empty strings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from emowhy.bench.consistency import consistency
from emowhy.bench.metrics.labels import graded
from emowhy.parse import parse, read_causes, read_emotions
from emowhy.specialists.base import Classifier
from emowhy.specialists.words import has_words
from emowhy.taxonomy import find_taxonomy
from emowhy.tune.evaluate import Asked
from emowhy.tune.recipe import RewardRecipe
from emowhy.tune.replies import WRITTEN
from emowhy.types import Emotion, Explanation, Reply


@dataclass(frozen=True, slots=True)
class Rewards:
    """`labels` 0 to 1; `format` 0, .5 or 1; `length` -1 to 0; `consistency` 0 or 1."""

    labels: float
    format: float
    length: float
    consistency: float = 0.0

    def total(self, weights: RewardRecipe) -> float:
        """The parts by their weights."""
        return (
            weights.labels * self.labels
            + weights.format * self.format
            + weights.length * self.length
            + weights.consistency * self.consistency
        )


UNREAD = Rewards(0.0, 0.0, -1.0)
"""The least of every part: a reply that cannot be read earns less than any that can."""


def earn(asked: Asked, reply: Reply) -> Rewards:
    """What a reply earns by itself, `consistency` aside.

    `labels`: graded overlap (`label_overlap`). `format`: 1 for the asked-for JSON as it stands with everything filled
    in, .5 for what can be read, 0 else. `length`: minus the share of labels beyond the gold's number; -1 for a reply
    that its budget cut off.
    """
    parsed = parse(reply, asked.fields, asked.sample)
    if parsed.status != "ok":
        return UNREAD
    gold, words = _gold(asked), _words(parsed.answer)
    whole = parsed.how == "strict" and _filled(asked, parsed.answer)
    beyond = max(0, len(words) - len(gold)) / max(1, len(words))
    length = 1.0 if reply.finish == "length" else beyond
    return Rewards(label_overlap(gold, words), 1.0 if whole else 0.5, 0.0 - length)


def label_overlap(gold: Sequence[str], words: Sequence[str]) -> float:
    """Graded F (`emowhy.bench.metrics.labels.graded`) where only the first |Y| words can hit, 0 to 1.

    2Σs/(|words| + |Y|), Σs over the best assignment between the gold labels Y and the first |Y| words. For distinct
    words no more than the gold's it is graded F itself, else less: what comes behind the first |Y| cannot raise it, not
    even by being right, and repeats count as words.
    """
    hits = len(gold) * graded(gold, words[: len(gold)])[1]
    return 2 * hits / (len(words) + len(gold))


def earn_all(asked: Sequence[Asked], replies: Sequence[Reply], reader: Classifier | None = None) -> list[Rewards]:
    """What each reply earns; with a `reader` (`emowhy.bench.consistency`) whether it names, from the explanation alone,
    the label that the reply says first, too."""
    found = [earn(one, reply) for one, reply in zip(asked, replies, strict=True)]
    if reader is None:
        return found
    answers = [_explained(one, reply) for one, reply in zip(asked, replies, strict=True)]
    agreed = np.nan_to_num(consistency([one.sample for one in asked], answers, reader).rows["epc"])
    return [replace(one, consistency=float(agrees)) for one, agrees in zip(found, agreed, strict=True)]


def _gold(asked: Asked) -> tuple[str, ...]:
    gold = asked.sample.gold
    return (gold.emotions if gold else None) or ()


def _words(answer: Mapping[str, Any]) -> list[str]:
    """The labels as they were said, also behind the last that the parser reads."""
    said = answer.get("emotions", [])
    return re.split(r"[,/;]| and ", said) if isinstance(said, str) else said


def _filled(asked: Asked, answer: Mapping[str, Any]) -> bool:
    """Whether every text has words, and there are verbatim quotes, and only such, where the gold has any."""
    texts = [answer[field] for field in asked.fields if field in WRITTEN]
    causes = read_causes(answer, asked.sample)
    quotes = asked.sample.gold.causes if asked.sample.gold else None
    return (
        all(has_words(text if isinstance(text, str) else " ".join(_strings(text))) for text in texts)
        and all(cause.exact for cause in causes)
        and bool(causes or not quotes)
    )


def _strings(value: Any) -> list[str]:
    """All strings in a JSON value but keys."""
    if isinstance(value, Mapping | list):
        parts = value.values() if isinstance(value, Mapping) else value
        return [text for part in parts for text in _strings(part)]
    return [value] if isinstance(value, str) else []


def _explained(asked: Asked, reply: Reply) -> Explanation | None:
    """The first label with its reasons, as the reader's figure takes them; None where nothing can be read.

    Only the first label's words are hidden from the reader: others that were added could hide what speaks against it.
    """
    parsed = parse(reply, asked.fields, asked.sample)
    if parsed.status != "ok":
        return None
    first = tuple(Emotion(label) for label in read_emotions(parsed.answer, find_taxonomy("open"))[:1])
    answer = parsed.answer
    return Explanation(
        asked.sample.id, emotions=first, reasoning=answer.get("reasoning"), explanation=answer.get("explanation")
    )
